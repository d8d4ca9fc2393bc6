"""The same program with the same seed trains as it does on PyTorch: initial weights, losses, checkpoints."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from training_models import HALFWAY, NAMES, RECORDED, SAVED, STEPS, Training

import torchlike

RECORD = json.loads((RECORDED / "training.json").read_text(encoding="utf-8"))["trainings"]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_starts_with_the_weights_of_pytorch(name: str):
    parameters = dict(Training(torchlike, name).model.named_parameters())
    recorded = RECORD[name]["weights"]
    assert list(parameters) == list(recorded)
    for key, expected in recorded.items():
        values = parameters[key].detach().numpy()
        assert list(values.shape) == expected["shape"]
        found = values.reshape(-1)[:: max(1, values.size // 15)]
        np.testing.assert_array_max_ulp(found, np.array(expected["values"], np.float32), maxulp=1)
        assert hashlib.sha256(values.tobytes()).hexdigest()[:16] == expected["sha256"], key


@pytest.mark.parametrize("name", NAMES)
def test_a_training_has_the_losses_of_pytorch(name: str):
    training = Training(torchlike, name)
    losses, expected = training.steps(STEPS), RECORD[name]["losses"]
    assert losses[:10] == pytest.approx(expected[:10], rel=1e-4)
    assert losses[10:] == pytest.approx(expected[10:], rel=1e-2)
    assert training.evaluated() == pytest.approx(RECORD[name]["evaluated"], rel=1e-2)


@pytest.mark.parametrize("name", SAVED)
def test_a_training_begun_in_pytorch_goes_on_here(name: str):
    training = Training(torchlike, name)
    training.load(torchlike.load(RECORDED / f"training_{name}.pt"))
    losses, expected = training.steps(STEPS - HALFWAY), RECORD[name]["losses"][HALFWAY:]
    assert losses[:10] == pytest.approx(expected[:10], rel=1e-4)
    assert losses == pytest.approx(expected, rel=1e-2)
