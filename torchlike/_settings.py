"""Process-wide settings that programs read and write: threads, determinism, matmul precision, warnings."""

from __future__ import annotations

import os
import warnings
from typing import Any

import jax

__all__ = [
    "are_deterministic_algorithms_enabled",
    "compiled_with_cxx11_abi",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "init_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]


_int = int  # the functions below name a parameter so, as PyTorch does


class _Settings:
    threads = os.cpu_count() or 1
    interop_threads = os.cpu_count() or 1
    deterministic = False
    deterministic_warn_only = False
    warn_always = False
    matmul_precision = "highest"


_settings = _Settings()


def get_num_threads() -> int:
    """Return the number of threads that were asked for; XLA's own pool has one a core.

    >>> torch.get_num_threads() > 0
    True
    """
    return _settings.threads


def init_num_threads() -> None:
    """Go back to the number of threads that a fresh process has: one a core.

    >>> torch.init_num_threads()
    """
    _settings.threads = os.cpu_count() or 1


def set_num_threads(int: int, /) -> None:
    """Note a number of threads. XLA's pool is sized when jax starts, so this changes no computation."""
    if type(int) is not _int:
        raise TypeError(f"set_num_threads expects an int, but got {type(int).__name__}")
    if int <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _settings.threads = int


def get_num_interop_threads() -> int:
    """Return the number of threads between operators that was asked for."""
    return _settings.interop_threads


def set_num_interop_threads(int: int, /) -> None:
    """Note a number of threads between operators; it changes no computation."""
    if int <= 0:
        raise RuntimeError("Expected positive number of threads")
    _settings.interop_threads = int


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for deterministic operators; on the CPU all of them are.

    >>> torch.use_deterministic_algorithms(True)
    >>> torch.are_deterministic_algorithms_enabled()
    True
    >>> torch.use_deterministic_algorithms(False)
    """
    _settings.deterministic = bool(mode)
    _settings.deterministic_warn_only = bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Return whether deterministic operators were asked for."""
    return _settings.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return whether operators without a deterministic form only warn."""
    return _settings.deterministic_warn_only


def set_deterministic_debug_mode(debug_mode: Any) -> None:
    """Choose between "default" (0), "warn" (1) and "error" (2) for operators without a deterministic form."""
    names = {"default": 0, "warn": 1, "error": 2}
    if not isinstance(debug_mode, int | str):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in names:
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}"
            )
        debug_mode = names[debug_mode]
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode != 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    """Return 0, 1 or 2, see ``set_deterministic_debug_mode``."""
    if not _settings.deterministic:
        return 0
    return 1 if _settings.deterministic_warn_only else 2


_PRECISIONS = {"highest": None, "high": "tensorfloat32", "medium": "bfloat16"}


def set_float32_matmul_precision(precision: str) -> None:
    """Choose how exact float32 products are on accelerators: "highest", "high" or "medium".

    >>> torch.set_float32_matmul_precision("highest")
    """
    if precision not in _PRECISIONS:
        raise RuntimeError(f"Invalid Float32 matmul precision: {precision}")
    _settings.matmul_precision = precision
    jax.config.update("jax_default_matmul_precision", _PRECISIONS[precision])


def get_float32_matmul_precision() -> str:
    """Return what ``set_float32_matmul_precision`` chose.

    >>> torch.get_float32_matmul_precision()
    'highest'
    """
    return _settings.matmul_precision


def set_flush_denormal(mode: bool) -> bool:
    """Return False: flushing denormal numbers to zero cannot be switched here."""
    return False


def set_warn_always(b: bool, /) -> None:
    """Say whether warnings that are given once per process are given each time."""
    _settings.warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """Return whether warnings that are given once per process are given each time."""
    return _settings.warn_always


def compiled_with_cxx11_abi() -> bool:
    """Return True, as current builds of PyTorch do."""
    return True


def warn_once(message: str, seen: set[str], stacklevel: int = 3) -> None:
    """Warn the first time a message comes up (each time after ``set_warn_always(True)``)."""
    if message in seen and not _settings.warn_always:
        return
    seen.add(message)
    warnings.warn(message, UserWarning, stacklevel=stacklevel)
