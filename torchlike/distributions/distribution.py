"""The base class of distributions."""

from __future__ import annotations

import warnings
from typing import Any

from torchlike._core.size import Size
from torchlike.autograd.grad_mode import no_grad
from torchlike.distributions import constraints
from torchlike.distributions.utils import is_tensor, lazy_property
from torchlike.ops import _public as ops

__all__ = ["Distribution"]

Tensor = Any


class Distribution:
    """A law that tensors are drawn from.

    ``batch_shape`` is the shape of a tensor of parameters, each of which gives a law of its own; ``event_shape`` the
    shape of one draw. Draws have the shape ``sample_shape + batch_shape + event_shape``. With ``validate_args`` (the
    default, unless ``set_default_validate_args(False)`` was called) parameters and values that do not fit raise
    ValueError.

    >>> d = torch.distributions.Normal(torch.zeros(2), 1.0)
    >>> d.batch_shape, d.event_shape, d.sample((3,)).shape
    (torch.Size([2]), torch.Size([]), torch.Size([3, 2]))
    """

    has_rsample: Any = False
    has_enumerate_support: Any = False
    _validate_args: bool = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Set whether arguments are checked where ``validate_args`` is not given."""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = Size(), event_shape: Any = Size(), validate_args: bool | None = None) -> None:  # noqa: B008
        self._batch_shape = batch_shape
        self._event_shape = event_shape
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    def _check_parameters(self) -> None:
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            arg_constraints = {}
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or initialize the"
                " distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
        for name, constraint in arg_constraints.items():
            if constraints.is_dependent(constraint):
                continue
            declared = next((c.__dict__[name] for c in type(self).__mro__ if name in c.__dict__), None)
            if name not in self.__dict__ and isinstance(declared, lazy_property):
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution"
                    f" {self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the distribution with its batch broadcast to ``batch_shape``; parameters are views."""
        raise NotImplementedError

    @property
    def batch_shape(self) -> Any:
        """The shape of the batch of parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Any:
        """The shape of one draw."""
        return self._event_shape

    @property
    def arg_constraints(self) -> Any:
        """What the parameters have to satisfy, by name."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """What draws satisfy."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The value of the largest probability (density)."""
        name = str(self.__class__).replace("'torchlike.", "'torch.")
        raise NotImplementedError(f"{name} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = Size()) -> Tensor:  # noqa: B008
        """Draw values; no gradient flows to the parameters."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:  # noqa: B008
        """Draw values as a differentiable function of the parameters, where ``has_rsample`` says that there is one."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """Draw ``n`` values. Deprecated: use ``sample((n,))``."""
        warnings.warn("sample_n will be deprecated. Use .sample((n,)) instead", UserWarning, stacklevel=2)
        return self.sample(Size((n,)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability (density) at values."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of draws up to values."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles of probabilities: the inverse of :meth:`cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all values of a discrete distribution along a new first dimension.

        With ``expand=False`` the dimensions of the batch are 1.
        """
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """Return the expected value of ``-log_prob``."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """Return ``exp(entropy)``."""
        return ops.exp(self.entropy())

    def _extended_shape(self, sample_shape: Any = Size()) -> Any:  # noqa: B008
        """The shape of draws."""
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value: Tensor) -> None:
        """Raise ValueError for what cannot be a draw."""
        if not is_tensor(value):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape: Any = value.shape
        event_start = len(shape) - len(self._event_shape)
        if shape[event_start:] != self._event_shape:
            raise ValueError(f"The right-most size of value must match event_shape: {shape} vs {self._event_shape}.")
        expected = Size((*self._batch_shape, *self._event_shape))
        for i, j in zip(reversed(shape), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please initialize the"
                " distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if support is None:
            raise AssertionError("support is None")
        if not support.check(value).all():
            raise ValueError(
                "Expected value argument "
                f"({type(value).__name__} of shape {tuple(value.shape)}) to be within the support ({support!r}) of the"
                f" distribution {self!r}, but found invalid values:\n{value}"
            )

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """A bare instance for ``expand``; a subclass with another constructor has to bring its own."""
        if _instance is None and type(self).__init__ is not cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {self.__class__.__name__} of {cls.__name__} that defines a custom __init__ method must also"
                " define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def _expanded(self, cls: type, batch_shape: Any, _instance: Any, *names: str) -> tuple[Any, Any]:
        """What most ``expand`` begin with: the instance, the shape, and the named parameters expanded on it."""
        new = self._get_checked_instance(cls, _instance)
        batch_shape = Size(batch_shape)
        for name in names:
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand(batch_shape))
        return new, batch_shape

    def _finish(self, cls: Any, new: Any, batch_shape: Any, event_shape: Any = Size()) -> Any:  # noqa: B008
        """What they end with: the base's constructor, without checks."""
        base: Any = super(cls, new)
        base.__init__(batch_shape, event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__]
        shown = ", ".join(
            f"{name}: {self.__dict__[name] if self.__dict__[name].numel() == 1 else self.__dict__[name].size()}"
            for name in names
        )
        return f"{self.__class__.__name__}({shown})"
