"""Record five trainings of real PyTorch: ``python tests/record_training.py``.

Writes recorded/training.json (initial weights and losses) and recorded/training_NAME.pt (checkpoints of step 25).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
from training_models import HALFWAY, NAMES, RECORDED, SAVED, STEPS, Training


def weights(model: Any) -> dict[str, Any]:
    """Of each parameter a checksum of its bytes, and some 16 values spread over it."""
    return {
        name: {
            "shape": list(parameter.shape),
            "sha256": hashlib.sha256(parameter.detach().numpy().tobytes()).hexdigest()[:16],
            "values": parameter.detach().flatten()[:: max(1, parameter.numel() // 15)].tolist(),
        }
        for name, parameter in model.named_parameters()
    }


def main() -> None:
    torch.set_num_threads(1)
    trainings = {}
    for name in NAMES:
        training = Training(torch, name)
        initial = weights(training.model)
        losses = training.steps(HALFWAY)
        if name in SAVED:
            torch.save(training.state(), RECORDED / f"training_{name}.pt")
        losses += training.steps(STEPS - HALFWAY)
        trainings[name] = {"weights": initial, "losses": losses, "evaluated": training.evaluated()}
    record = {"torch": torch.__version__.partition("+")[0], "trainings": trainings}
    (RECORDED / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
