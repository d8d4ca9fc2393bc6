"""Setting several switches of a module for the length of a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def switched(module: dict[str, Any], values: dict[str, Any]) -> Iterator[None]:
    """Give switches of a module (its globals) other values within the block; None leaves one as it is."""
    chosen = {name: value for name, value in values.items() if value is not None}
    before = {name: module[name] for name in chosen}
    module.update(chosen)
    try:
        yield
    finally:
        module.update(before)
