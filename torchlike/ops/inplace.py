"""The in-place functions of the namespace itself (``torch.exp_``), collected from the operators that declare one."""

from __future__ import annotations

from torchlike._core.op import registry

_found = {
    name: entry.function
    for (namespace, name), entry in registry.items()
    if namespace == "" and name.endswith("_") and not name.startswith("_")
}
globals().update(_found)

__all__ = sorted(_found)  # noqa: PLE0605
