"""The generator: a Mersenne Twister whose words, state bytes and seeding are those of PyTorch's CPU generator.

The words come from NumPy's MT19937, which is the same recurrence; what is PyTorch's own is the seeding, the way a state
is laid out in bytes, and the one normal sample that is kept for the next call. ``samplers.py`` and its neighbours turn
words into numbers.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any, Self

import jax
import numpy as np

from torchlike._core import device as devices
from torchlike._core.errors import check
from torchlike._core.naming import TorchNamed

__all__ = ["DEFAULT_SEED", "Generator", "default_generator"]

# The seed of a generator that nobody has seeded.
DEFAULT_SEED = 67280421310721

_MASK64 = 2**64 - 1
_WORDS = 624

# PyTorch's state: the twister's own part, and the normal samples that wait for the next call. Some fields are leftovers
# that PyTorch writes as zeros and no longer reads.
_STATE = np.dtype(
    {
        "names": ["seed", "left", "seeded", "next", "key", "normal_y", "normal_valid", "float_normal", "float_valid"],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", (_WORDS,)), "<f8", "<i4", "<f4", "u1"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040, 5048, 5052],
        "itemsize": 5056,
    }
)


def unpack_seed(seed: int) -> int:
    """Return a seed as the unsigned 64-bit number it stands for; negative ones count from the top.

    Raises ValueError for what does not fit.
    """
    if not -(2**63) <= seed <= _MASK64:
        raise ValueError("Overflow when unpacking long long")
    return seed & _MASK64


class HostDraw(RuntimeError):
    """A draw that cannot become part of a compiled function: from a generator passed by hand."""


class _Codec:
    """How a state becomes a ByteTensor and back: set by the module of the public random functions, above `_core`."""

    to_tensor: Callable[[np.ndarray[Any, Any]], Any]
    from_tensor: Callable[[Any], np.ndarray[Any, Any]]


codec = _Codec()


# While a function is captured for torch.compile: where keys come from instead of the stream.
key_source: Callable[[], jax.Array] | None = None


class Generator(metaclass=TorchNamed):
    """A stream of random numbers of its own: ``Generator(device="cpu")``, to be passed as ``generator=``.

    On the CPU its numbers are PyTorch's for the same seed. For other devices it is the source of the keys of jax's
    counter-based generators. Raises RuntimeError for a device that is not there.

    >>> g = torch.Generator().manual_seed(0)
    >>> torch.rand(2, generator=g)
    tensor([0.4963, 0.7682])
    >>> g.initial_seed()
    0
    """

    __module__ = "torch"

    def __init__(self, device: Any = "cpu") -> None:
        self._device = devices.resolve(device)
        check(self._device is not devices.META, "META device type not an accelerator.")
        self._lock = threading.RLock()
        self._bits = np.random.MT19937(0)
        self._seeder = np.random.RandomState(self._bits)
        self._reseed(DEFAULT_SEED)

    # The public face --------------------------------------------------------------------------------------------------

    @property
    def device(self) -> devices.device:
        """The device whose tensors it is for."""
        return self._device

    def manual_seed(self, seed: int) -> Self:
        """Start the stream that belongs to ``seed``, any integer of 64 bits; returns the generator.

        Raises RuntimeError for what is not an int and ValueError for more than 64 bits.

        >>> torch.Generator().manual_seed(-1).initial_seed()
        18446744073709551615
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        self._reseed(unpack_seed(int(seed)))
        return self

    def seed(self) -> int:
        """Start a stream that nobody can foresee, and return its seed."""
        seed = secrets.randbits(64)
        self._reseed(seed)
        return seed

    def initial_seed(self) -> int:
        """Return the seed that the current stream started from.

        >>> torch.Generator().initial_seed()
        67280421310721
        """
        return self._seed

    def get_state(self) -> Any:
        """Return the state as a ByteTensor of 5056 elements, in PyTorch's own layout.

        >>> torch.Generator().get_state().shape
        torch.Size([5056])
        """
        return codec.to_tensor(self.state_bytes())

    def set_state(self, new_state: Any) -> Self:
        """Continue from a state that ``get_state`` returned, here or in PyTorch; returns the generator.

        Raises TypeError for what is not a ByteTensor, and RuntimeError for one that holds no state.
        """
        self.load_state_bytes(codec.from_tensor(new_state))
        return self

    def clone_state(self) -> Generator:
        """Return a new generator that continues as this one does.

        >>> g = torch.Generator().manual_seed(3)
        >>> torch.equal(torch.rand(4, generator=g.clone_state()), torch.rand(4, generator=g))
        True
        """
        clone = Generator(self._device)
        clone.load_state_bytes(self.state_bytes())
        return clone

    def graphsafe_get_state(self) -> Any:
        """Raise NotImplementedError: PyTorch has this for CUDA graphs only."""
        raise NotImplementedError("graphsafe_get_state is not supported in this Generator")

    def graphsafe_set_state(self, state: Any) -> Any:
        """Raise NotImplementedError: PyTorch has this for CUDA graphs only."""
        raise NotImplementedError("graphsafe_set_state is not supported in this Generator")

    def get_offset(self) -> int:
        """Raise RuntimeError: the stream has no offset to count from."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> Any:
        """Raise RuntimeError: the stream has no offset to count from."""
        raise RuntimeError("CPU Generator does not use offset")

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._device, self.state_bytes())

    # Words ------------------------------------------------------------------------------------------------------------

    def words32(self, count: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Draw ``count`` words of 32 bits, each in a uint64."""
        if count:
            self._untouched = False
        words: np.ndarray[Any, np.dtype[np.uint64]] = self._bits.random_raw(count)
        return words

    def words64(self, count: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Draw ``count`` words of 64 bits; each takes two draws, the upper half first."""
        halves = self.words32(2 * count)
        words = halves[0::2] << np.uint64(32)
        words |= halves[1::2]
        return words

    def mark(self) -> Any:
        """Return where the stream of words stands, for ``rewind``."""
        return self._untouched, self._bits.state

    def rewind(self, mark: Any) -> None:
        """Go back to where ``mark`` was taken; a kept normal sample stays as it is."""
        self._untouched, self._bits.state = mark

    def key(self) -> jax.Array:
        """Return the key of a jax generator, made from the next draw."""
        if key_source is not None:
            return key_source()
        (word,) = self.words64(1)
        return jax.random.key(np.uint64(word))

    # State ------------------------------------------------------------------------------------------------------------

    def _reseed(self, seed: int) -> None:
        with self._lock:
            self._seed = seed
            self._seeder.seed(seed & 0xFFFFFFFF)
            self._untouched = True
            self.next_normal: float | None = None
            self._float_normal: float | None = None

    def state_bytes(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the state in PyTorch's layout of 5056 bytes."""
        inner: Any = self._bits.state["state"]
        position = int(inner["pos"])
        state = np.zeros(1, _STATE)
        state["seed"] = self._seed
        state["seeded"] = 1
        state["key"] = inner["key"]
        # PyTorch counts down to the next refill; before the first one it has used none of the words it was seeded with.
        state["left"] = 1 if self._untouched else _WORDS + 1 - position
        state["next"] = 0 if self._untouched else position
        if self.next_normal is not None:
            state["normal_y"] = self.next_normal
            state["normal_valid"] = 1
        if self._float_normal is not None:
            state["float_normal"] = self._float_normal
            state["float_valid"] = 1
        return state.view(np.uint8)

    def load_state_bytes(self, data: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        """Continue from a state in PyTorch's layout. Raises RuntimeError for anything else."""
        if data.size != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} but found the input RNG state size to be"
                f" {data.size}"
            )
        state = np.ascontiguousarray(data).view(_STATE)[0]
        left, position = int(state["left"]), int(state["next"])
        check(int(state["seeded"]) == 1 and 0 < left <= _WORDS and 0 <= position <= _WORDS, "Invalid mt19937 state")
        with self._lock:
            self._seed = int(state["seed"])
            self._untouched = left == 1 and position == 0
            key = state["key"].astype(np.uint32)
            inner: Any = {"key": key, "pos": _WORDS if left == 1 else position}
            self._bits.state = {"bit_generator": "MT19937", "state": inner}
            self.next_normal = float(state["normal_y"]) if state["normal_valid"] else None
            self._float_normal = float(state["float_normal"]) if state["float_valid"] else None


def _rebuild(cls: type[Generator], device: Any, state: np.ndarray[Any, Any]) -> Generator:
    """Make a generator from what was pickled."""
    generator = cls(device)
    generator.load_state_bytes(state)
    return generator


# The stream behind every call without ``generator=``. As in PyTorch it starts somewhere else in every process.
default_generator = Generator()
default_generator.seed()


class _Own(threading.local):
    """The stream of a thread that has one of its own: the workers of data loaders."""

    generator: Generator | None = None


own = _Own()


def current() -> Generator:
    """The stream behind a call without ``generator=`` in this thread."""
    return own.generator or default_generator
