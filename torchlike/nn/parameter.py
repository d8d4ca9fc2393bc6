"""Parameters and buffers: tensors that a module takes up when they are assigned to it."""

from __future__ import annotations

import copyreg
from collections import OrderedDict
from typing import Any, ClassVar

import numpy as np

from torchlike._core import dispatch
from torchlike._core import dtype as dtypes
from torchlike._core.naming import follow
from torchlike._core.override import disabled_torch_function_impl
from torchlike._core.tensor_state import announce_plain
from torchlike._tensor import Tensor, _TensorMeta

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]


def empty_like_nothing(device: Any = None, dtype: dtypes.dtype | None = None) -> Any:
    """Return a tensor without elements, the data of a parameter that was given none."""
    return dispatch.wrap_host(np.empty(0, (dtype or dtypes.get_default_dtype()).np), device)


class _ParameterMeta(_TensorMeta):
    """Tensors of other classes that were made parameters count as instances of Parameter."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that a module takes up as a parameter when it is assigned to one of its attributes.

    ``Parameter(data=None, requires_grad=True)`` shares the memory of ``data``. Its gradient is on whether or not
    gradients are being recorded. What operators compute from parameters are plain tensors.

    >>> torch.nn.Parameter(torch.tensor([1., 2.]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    _printed_as = "tensor"
    _is_param = True

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        if data is None:
            data = empty_like_nothing()
        if type(data) is Tensor or type(data) is Parameter:
            return Tensor._make_subclass(cls, data, requires_grad)
        # An instance of another class stays one, and is marked.
        marked = data.detach().requires_grad_(requires_grad)
        if type(marked) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() returns an"
                f" instance of the same type, but return type {type(marked).__name__} was found instead. To use the"
                " type as a Parameter, please correct the detach() semantics defined by its __torch_dispatch__()"
                " implementation."
            )
        marked._is_param = True
        return marked

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        found = memo.get(id(self))
        if found is None:
            found = memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return found

    # mypy takes the keyword of a special method for a positional one.
    def __repr__(self, *, tensor_contents: str | None = None) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + super().__repr__(tensor_contents=tensor_contents)  # type: ignore[call-arg]

    def __reduce_ex__(self, protocol: Any) -> Any:
        state = self.__dict__ or None
        return rebuild_parameter, (self.data, self.requires_grad, OrderedDict()), state

    __torch_function__ = disabled_torch_function_impl  # type: ignore[assignment]


def rebuild_parameter(data: Any, requires_grad: bool, backward_hooks: Any) -> Any:
    """Unpickle a parameter."""
    return Parameter(data, requires_grad)


class UninitializedTensorMixin:
    """What parameters and buffers without a shape yet have in common; ``materialize`` gives them one."""

    cls_to_become: ClassVar[type]

    def materialize(self: Any, shape: Any, device: Any = None, dtype: dtypes.dtype | None = None) -> None:
        """Become an ordinary parameter or buffer of a shape, uninitialised, on the same device and of the same type."""
        data = self.data
        kind = dtype or data.dtype
        size = tuple(shape) if not isinstance(shape, int) else (shape,)
        self.data = dispatch.wrap_host(np.zeros(size, kind.np), data.device if device is None else device)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Any:
        """Raise RuntimeError: there is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in"
            " `load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward`"
            " to initialize the parameters before accessing their attributes."
        )

    def share_memory_(self) -> Any:
        """Raise RuntimeError: there is no memory yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters"
            " before calling `module.share_memory()`."
        )

    def __repr__(self, **_: Any) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return type(self), (self.requires_grad,)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Refuse every function: only the dtype and the device can change before there is a shape."""
        name = getattr(func, "__name__", "")
        if name in _ALLOWED or type(func).__name__ == "method-wrapper":
            return disabled_torch_function_impl(func, types, args, kwargs)
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {func}. This error happens when you are using a"
            f" `LazyModule` or explicitly manipulating `torch.nn.parameter.{cls.__name__}` objects. When using"
            " LazyModules Call `forward` with a dummy batch to initialize the parameters before calling torch functions"
        )


_ALLOWED = frozenset(
    ["copy_", "half", "float", "double", "char", "short", "int", "long", "cuda", "cpu", "to", "_to_copy", "_copy"]
)


def is_lazy(param: Any) -> bool:
    """Return whether a parameter or buffer has no shape yet.

    >>> torch.nn.parameter.is_lazy(torch.nn.parameter.UninitializedParameter())
    True
    """
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc]
    """A parameter whose shape is not known yet, as lazy modules have before their first call.

    >>> p = torch.nn.parameter.UninitializedParameter()
    >>> p
    <UninitializedParameter>
    >>> p.materialize((2, 3))
    >>> p.shape
    torch.Size([2, 3])
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: dtypes.dtype | None = None) -> Any:
        return Tensor._make_subclass(cls, empty_like_nothing(device, dtype), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        found = memo.get(id(self))
        if found is None:
            found = memo[id(self)] = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        return found


class _BufferMeta(_TensorMeta):
    """Tensors that were marked as buffers count as instances of Buffer."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if cls is Buffer:
            return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)
        return type.__instancecheck__(cls, instance)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that a module takes up as a buffer when it is assigned: state, but nothing to be trained.

    ``Buffer(data=None, *, persistent=True)``; one that is not persistent stays out of ``state_dict``.

    >>> m = torch.nn.Module()
    >>> m.count = torch.nn.Buffer(torch.tensor(0))
    >>> list(m.state_dict())
    ['count']
    """

    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = empty_like_nothing()
        buffer = data.detach().requires_grad_(data.requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer

    __torch_function__ = disabled_torch_function_impl  # type: ignore[assignment]


class UninitializedBuffer(UninitializedTensorMixin, Tensor):  # type: ignore[misc]
    """A buffer whose shape is not known yet, as lazy modules have before their first call."""

    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: dtypes.dtype | None = None,
        persistent: bool = True,
    ) -> Any:
        buffer = Tensor._make_subclass(cls, empty_like_nothing(device, dtype), requires_grad)
        buffer.persistent = persistent
        buffer._is_buffer = True
        return buffer


def _named(name: str) -> Any:
    return globals()[name]


def _reduce_class(cls: type) -> Any:
    """Pickle the classes of this file by what they are here, not by PyTorch's module name that they print."""
    return (_named, (cls.__name__,)) if globals().get(cls.__name__) is cls else cls.__qualname__


copyreg.pickle(_ParameterMeta, _reduce_class)
copyreg.pickle(_BufferMeta, _reduce_class)
announce_plain(Parameter)
for _class in (Parameter, Buffer, UninitializedParameter, UninitializedBuffer):
    follow(_class)
