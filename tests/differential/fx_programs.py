"""Programs to be traced, written for either module ``torch``."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any


def module(torch: ModuleType) -> Any:
    nn = torch.nn

    class Model(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(3, 4)
            self.p = nn.Parameter(torch.ones(3))
            self.seq = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
            self.register_buffer("buf", torch.zeros(4))

        def forward(self, x: Any, y: float = 1.0, *args: Any, flag: bool = True, **kw: Any) -> Any:
            h = self.lin(x + self.p).clamp(min=0.0, max=1.0)
            a, b = h[0], h[:, 1:3]
            z = self.seq(torch.nn.functional.relu(h, inplace=False) + self.buf * y)
            return {"a": z, "b": (a, b), "c": torch.cat([h, z], dim=-1), "s": -z, "d": z.shape, "e": z.size(0)}

    return Model()


def operators(torch: ModuleType) -> Callable[..., Any]:
    def program(x: Any) -> Any:
        y = x.t() @ x // 2 % 3 << 1
        z = x**2 > 1
        w = ~z & z | z ^ z
        x += 1
        x = operator.iadd(x, 2)
        first = (x.T, y, z, 3 - x, 2 / x, w, operator.add(x, 1), math.sqrt(4), torch.float32, torch.device("cpu"))
        second = (slice(0, x.size(0)), [x, {"k": x}], float("inf"), "str", None, abs(x), x.shape[0] + 1, x != 3)
        return (*first, *second, x.T.contiguous(memory_format=torch.contiguous_format), x[..., None], x.to(torch.int64))

    return program


def unpacking(torch: ModuleType) -> Callable[..., Any]:
    def program(x: Any, *a: Any, **k: Any) -> Any:
        first, second = x.split(1)
        return first + second + a[0] + k["q"] + torch.zeros_like(x)

    return program


def annotated(torch: ModuleType) -> Callable[..., Any]:
    def program(x, b: bool, w: torch.Tensor = None) -> torch.Tensor:  # type: ignore[no-untyped-def, name-defined]
        return x + 1 if b else x * 2

    return program


def nothing(torch: ModuleType) -> Callable[..., Any]:
    return lambda a: None


PROGRAMS: dict[str, tuple[Callable[[ModuleType], Any], dict[str, Any]]] = {
    "module": (module, {}),
    "operators": (operators, {}),
    "unpacking": (unpacking, {}),
    "annotated": (annotated, {"b": True}),
    "nothing": (nothing, {}),
}
