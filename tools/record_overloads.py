"""Write which overloads PyTorch's operators have: ``python tools/record_overloads.py`` with PyTorch installed."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from torchlike._library import namespaces

TARGET = Path(namespaces.__file__).with_name("aten_overloads.json")


def overloads() -> dict[str, list[str]]:
    """The names of the overloads of every operator that this package has a function for."""
    found: dict[str, set[str]] = {}
    for schema in torch._C._jit_get_all_schemas():
        space, _, name = schema.name.partition("::")
        if space == "aten" and not name.startswith("__") and namespaces._function(name) is not None:
            found.setdefault(name, set()).add(schema.overload_name or "default")
    return {name: sorted(found[name]) for name in sorted(found)}


if __name__ == "__main__":
    lines = [f"{json.dumps(name)}: {json.dumps(names)}" for name, names in overloads().items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
