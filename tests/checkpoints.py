"""What the checkpoint files in ``recorded/`` contain, built with either library."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "recorded" / "checkpoints"

DTYPES = [
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"),
]

OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1}),
    ("Adadelta", {"lr": 1.0}),
    ("Adafactor", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1}),
    ("Adamax", {"lr": 0.1}),
    ("ASGD", {"lr": 0.01, "t0": 2}),
    ("LBFGS", {"lr": 0.1, "max_iter": 3}),
    ("NAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5}),
    ("Rprop", {"lr": 0.01}),
]


def contents(torch: Any) -> dict[str, Any]:
    """Tensors of all kinds and what else a checkpoint may hold."""
    x = torch.arange(6.0).reshape(2, 3)
    with_attribute, parameter = torch.ones(2), torch.nn.Parameter(torch.arange(3.0))
    with_attribute.note = "kept"
    return {
        "matrix": x,
        "transposed": x.t(),
        "row": x[1],
        "strided": torch.arange(10)[1::3],
        "expanded": torch.ones(1).expand(3),
        "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "number": torch.tensor(3),
        "empty": torch.empty(0, 2),
        "meta": torch.empty(2, device="meta"),
        "requires_grad": torch.ones(2, requires_grad=True),
        "parameter": parameter,
        "attribute": with_attribute,
        "state": collections.OrderedDict(weight=torch.full((2, 2), 0.5), bias=torch.zeros(2)),
        "dtypes": {name: torch.tensor([0, 1, 1, 0]).to(getattr(torch, name)) for name in DTYPES},
        "things": [torch.float16, torch.device("cpu"), torch.Size([1, 2]), torch.strided],
        "plain": {"numbers": [1, -2, 2.5, 10**30, 1 + 2j, True, None], "text": "\u00fc", "set": {1, 2}, 3: (4, (5,))},
    }


def described(value: Any) -> Any:
    """A value as plain data that compares: of a tensor, all that a file should keep."""
    if hasattr(value, "untyped_storage"):
        facts = (type(value).__name__, str(value.dtype), tuple(value.shape), tuple(value.stride()))
        if str(value.device) == "meta":
            return facts
        plain = value.detach().resolve_conj()
        listed = (plain.float() if "float8" in str(value.dtype) else plain).tolist()
        more = (value.storage_offset(), value.requires_grad, value.is_conj(), value.untyped_storage().nbytes())
        return (*facts, *more, getattr(value, "note", None), listed)
    if isinstance(value, dict):
        return type(value).__name__, {key: described(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(described(entry) for entry in value)
    return type(value).__name__, str(value)


class Training:
    """A small model, an optimizer, and the losses of further steps."""

    def __init__(self, torch: Any, name: str, options: dict[str, Any]) -> None:
        self.torch = torch
        self.model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
        self.optimizer = getattr(torch.optim, name)(self.model.parameters(), **options)
        self.data = torch.arange(15.0).reshape(5, 3).sin()

    def closure(self) -> Any:
        self.optimizer.zero_grad()
        loss = (self.model(self.data) - self.data.sum(1, keepdim=True)).square().mean()
        loss.backward()
        return loss

    def steps(self, count: int) -> list[float]:
        losses = []
        for _ in range(count):
            if type(self.optimizer).__name__ == "LBFGS":
                loss = self.optimizer.step(self.closure)
            else:
                loss = self.closure()
                self.optimizer.step()
            losses.append(loss.item())
        return losses

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
