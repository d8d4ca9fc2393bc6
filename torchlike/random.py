"""``torch.random``: the state of the default generator, which random functions draw from unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from torchlike._core import device as devices
from torchlike._core import dispatch, generator
from torchlike._core import dtype as dtypes
from torchlike._core.generator import Generator
from torchlike._core.tensor_state import TensorBase

__all__ = ["fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]

Tensor = Any


def _bytes_of(state: Any) -> np.ndarray[Any, Any]:
    if not isinstance(state, TensorBase):
        raise TypeError(f"expected a torch.ByteTensor, but got {type(state).__name__}")
    if dispatch.geometry_of(state).dtype is not dtypes.uint8 or dispatch.device_of(state) is not devices.CPU:
        raise TypeError("RNG state must be a torch.ByteTensor")
    return np.asarray(dispatch.array_of(state))


generator.codec.to_tensor = dispatch.wrap_host
generator.codec.from_tensor = _bytes_of


def manual_seed(seed: int) -> Generator:
    """Start the default generator from a seed, an integer of up to 64 bits (negative ones count from the top).

    Returns the generator. Raises ValueError for more than 64 bits.

    >>> _ = torch.manual_seed(0)
    >>> torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    return generator.current().manual_seed(generator.unpack_seed(int(seed)))


def seed() -> int:
    """Start the default generator from a seed that nobody can foresee, and return that seed.

    >>> torch.seed() == torch.initial_seed()
    True
    """
    return generator.current().seed()


def initial_seed() -> int:
    """Return the seed that the default generator started from.

    >>> _ = torch.manual_seed(3)
    >>> torch.initial_seed()
    3
    """
    return generator.current().initial_seed()


def get_rng_state() -> Tensor:
    """Return the state of the default generator as a ByteTensor, in PyTorch's layout.

    >>> state = torch.get_rng_state()
    >>> first = torch.rand(3)
    >>> torch.set_rng_state(state)
    >>> torch.equal(torch.rand(3), first)
    True
    """
    return generator.current().get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the default generator continue from a state that ``get_rng_state`` returned, here or in PyTorch.

    Raises TypeError for what is not a ByteTensor and RuntimeError for one that holds no state.

    >>> torch.set_rng_state(torch.get_rng_state())
    """
    generator.current().set_state(new_state)


@contextmanager
def fork_rng(
    devices: Sequence[Any] | None = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """Within the block draw on; afterwards the default generator stands where it stood before.

    One generator serves all devices here, so ``devices`` and ``device_type`` change nothing. With ``enabled=False``
    the block is not fenced off.

    >>> _ = torch.manual_seed(0)
    >>> with torch.random.fork_rng():
    ...     _ = torch.rand(100)
    >>> torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    if not enabled:
        yield
        return
    state = generator.current().state_bytes()
    try:
        yield
    finally:
        generator.current().load_state_bytes(state)
