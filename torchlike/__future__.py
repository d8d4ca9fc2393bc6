"""Switches for behaviour that modules may have by default one day."""

from __future__ import annotations

__all__ = [
    "get_overwrite_module_params_on_conversion",
    "get_swap_module_params_on_conversion",
    "set_overwrite_module_params_on_conversion",
    "set_swap_module_params_on_conversion",
]


class _Switches:
    overwrite: bool = False
    swap: bool = False


_switches = _Switches()


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """Say whether ``module.to`` and its like put new parameters in place of the old instead of changing their data."""
    _switches.overwrite = value


def get_overwrite_module_params_on_conversion() -> bool:
    """Return whether conversions put new parameters in place of the old.

    >>> torch.__future__.get_overwrite_module_params_on_conversion()
    False
    """
    return _switches.overwrite


def set_swap_module_params_on_conversion(value: bool) -> None:
    """Say whether ``module.to`` and ``load_state_dict`` exchange parameters by ``torch.utils.swap_tensors``."""
    _switches.swap = value


def get_swap_module_params_on_conversion() -> bool:
    """Return whether conversions exchange parameters.

    >>> torch.__future__.get_swap_module_params_on_conversion()
    False
    """
    return _switches.swap
