"""Tracing below autograd, which jax does here: there is never such a mode to be asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["get_proxy_mode", "make_fx"]


def get_proxy_mode() -> None:
    """Return None: no program is being traced below autograd."""


def make_fx(f: Callable[..., Any], *args: Any, **kwargs: Any) -> NoReturn:
    """Trace a function into operators; raises NotImplementedError."""
    raise NotImplementedError("torch.fx.experimental.proxy_tensor.make_fx; jax.make_jaxpr shows what XLA is given")
