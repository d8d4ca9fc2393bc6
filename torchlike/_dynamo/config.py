"""The settings of PyTorch's tracer: they can be read, written and patched, and change nothing here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

accumulated_cache_size_limit = 256
cache_size_limit = recompile_limit = 8
capture_dynamic_output_shape_ops = False
capture_scalar_outputs = False
dynamic_shapes = True
assume_static_by_default = True
automatic_dynamic_shapes = True
error_on_recompile = False
inline_inbuilt_nn_modules = True
optimize_ddp = True
suppress_errors = False
verbose = False


@contextmanager
def patch(changes: dict[str, Any] | str | None = None, value: Any = None, **named: Any) -> Iterator[None]:
    """Change settings within a block, or in a function that this decorates."""
    given = {changes: value} if isinstance(changes, str) else {**(changes or {}), **named}
    module = sys.modules[__name__]
    before = {name: getattr(module, name) for name in given}
    try:
        for name, setting in given.items():
            setattr(module, name, setting)
        yield
    finally:
        for name, setting in before.items():
            setattr(module, name, setting)
