"""Record checkpoint files with real PyTorch: ``python tests/record_checkpoints.py``."""

from __future__ import annotations

import copy
import io
import json
import pickle
import struct
import tarfile
from typing import Any

import torch
from checkpoints import FOLDER, OPTIMIZERS, Training, contents, described


def main() -> None:
    """Write all files anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    everything = contents(torch)
    torch.save(everything, FOLDER / "contents.pt")
    old = {key: value for key, value in everything.items() if key not in ("dtypes", "meta")}
    old["dtypes"] = {key: value for key, value in everything["dtypes"].items() if "uint" not in key and "8_" not in key}
    old["dtypes"]["uint8"] = everything["dtypes"]["uint8"]
    torch.save(old, FOLDER / "legacy.pt", _use_new_zipfile_serialization=False)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5))
    torch.save(model, FOLDER / "module.pt")
    torch.save({"Optimizer": torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=0.5)}, FOLDER / "optimizer.pt")
    trainings: dict[str, Any] = {}
    for name, options in OPTIMIZERS:
        training = Training(torch, name, options)
        training.steps(3)
        state = copy.deepcopy(training.state())
        trainings[name] = {**state, "losses": training.steps(4)}
    torch.save(trainings, FOLDER / "training.pt")
    (FOLDER / "old.tar").write_bytes(tar())
    expected = {
        "version": torch.__version__,
        "contents": repr(described(everything)),
        "legacy": repr(described(old)),
        "module": repr(described(dict(model.state_dict()))),
        "output": model.eval()(torch.ones(1, 2)).tolist(),
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def tar() -> bytes:
    """A file as PyTorch wrote it before version 0.1.10: two tensors on one storage."""
    storages = pickle.dumps(1, 2) + pickle.dumps((7, "cpu", torch.FloatStorage), 2)
    storages += struct.pack("<q4f", 4, 1.0, 2.0, 3.0, 4.0) + pickle.dumps([], 2)
    tensors = pickle.dumps(2, 2)
    for key, size, stride, offset in ((11, (2, 2), (2, 1), 0), (12, (2,), (1,), 2)):
        tensors += pickle.dumps((key, 7, torch.FloatTensor), 2)
        tensors += struct.pack("<ii", len(size), 0)
        tensors += struct.pack(f"<{len(size)}q{len(size)}qq", *size, *stride, offset)

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return obj.key if isinstance(obj, Reference) else None

    class Reference:
        def __init__(self, key: int) -> None:
            self.key = str(key)

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({"a": Reference(11), "b": [Reference(12)]})
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:", format=tarfile.PAX_FORMAT) as file:
        for name, data in (("storages", storages), ("tensors", tensors), ("pickle", buffer.getvalue())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return whole.getvalue()


if __name__ == "__main__":
    main()
