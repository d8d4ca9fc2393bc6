"""The Tensor: its state as users see it, the Python protocols, and the methods that are not operators."""

from __future__ import annotations

import copyreg
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from torchlike import _asking, _indexing, _instances, _printing, _sharing
from torchlike import storage as _storages
from torchlike._core import device as devices
from torchlike._core import dispatch, errors, levels, tape, tensor_state
from torchlike._core import dtype as dtypes
from torchlike._core import layout as layouts
from torchlike._core.lifted import Batched, no_control_flow
from torchlike._core.naming import ShownAsTorch, follow
from torchlike._core.size import Size
from torchlike._core.tensor_state import TensorBase, modes
from torchlike.autograd._engine import backward as run_backward

if TYPE_CHECKING:
    # TensorBase with the methods that the operators attach to it, as tools/stubs.py writes them down.
    from torchlike._operator_methods import OperatorMethods as _Base
else:
    _Base = TensorBase

__all__ = ["Tensor"]


class _TensorMeta(ShownAsTorch):
    """The class of tensor classes; pickle writes Tensor down as what it is here, not by the module that it names."""


class Tensor(_Base, metaclass=_TensorMeta):
    """A multi-dimensional array of one element type, on one device, that can remember how it was computed.

    Tensors are made by functions such as ``torch.tensor``, ``torch.zeros`` and by operators.

    >>> x = torch.tensor([[1., 2.], [3., 4.]], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([[2., 4.],
            [6., 8.]])
    """

    __module__ = "torchlike"
    # NumPy arrays on the left of an operator leave it to the tensor.
    __array_priority__ = 1000
    _printed_as = "tensor"

    def __new__(cls, *args: Any, device: Any = None, **kwargs: Any) -> Any:
        if kwargs:
            given = [*args, *kwargs.values()]
            errors.invalid_combination("new", given, "(*, torch.device device = None)", "(torch.Storage storage)")
        if device is not None:
            kind = devices.resolve(device).type
            errors.check(
                kind == "cpu", f"legacy constructor expects device type: cpu but device type: {kind} was passed"
            )
        return _instances.legacy_tensor(cls, *args)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _asking.prepare(cls)

    # -- metadata -----------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The sizes of the dimensions.

        >>> torch.zeros(2, 3).shape
        torch.Size([2, 3])
        """
        geometry = self._geometry
        return Size(self._storage.array.shape if geometry is None else geometry.size)

    def size(self, dim: int | None = None) -> Any:
        """Return the sizes of all dimensions, or of one.

        >>> torch.zeros(2, 3).size(1)
        3
        """
        shape = self.shape
        return shape if dim is None else shape[errors.wrap_dim(dim, len(shape), scalar=False)]

    def stride(self, dim: int | None = None) -> Any:
        """Return how many elements of memory lie between neighbours along each dimension, or along one.

        >>> torch.zeros(2, 3).stride()
        (3, 1)
        """
        strides = dispatch.geometry_of(self).stride
        return strides if dim is None else strides[errors.wrap_dim(dim, len(strides), scalar=False)]

    def storage_offset(self) -> int:
        """Return the position of the first element in the storage, counted in elements.

        >>> torch.arange(5)[2:].storage_offset()
        2
        """
        return dispatch.geometry_of(self).offset

    def dim(self) -> int:
        """Return the number of dimensions.

        >>> torch.zeros(2, 3).dim()
        2
        """
        geometry = self._geometry
        return len(self._storage.array.shape if geometry is None else geometry.size)

    ndimension = dim

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.dim()

    def numel(self) -> int:
        """Return the number of elements.

        >>> torch.zeros(2, 3).numel()
        6
        """
        return dispatch.geometry_of(self).numel

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        geometry = self._geometry
        return dtypes.BY_NUMPY[self._storage.array.dtype] if geometry is None else geometry.dtype

    @property
    def device(self) -> devices.device:
        """Where the elements are."""
        return dispatch.device_of(self)

    @property
    def layout(self) -> Any:
        """How the elements are stored; always ``torch.strided``."""
        return layouts.strided

    def get_device(self) -> int:
        """Return the index of the accelerator the tensor is on, -1 for the CPU."""
        index = self.device.index
        return -1 if index is None else index

    def element_size(self) -> int:
        """Return the size of an element in bytes.

        >>> torch.zeros(2).element_size()
        4
        """
        return self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """The size of an element in bytes."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The size of all elements in bytes."""
        return self.numel() * self.dtype.itemsize

    def is_contiguous(self, memory_format: Any = layouts.contiguous_format) -> bool:
        """Return whether the elements lie in memory in order, without gaps.

        >>> torch.zeros(2, 3).t().is_contiguous()
        False
        """
        if self._geometry is None and self._storage.stride is None and memory_format is layouts.contiguous_format:
            return True
        return layouts.is_in_format(dispatch.geometry_of(self), memory_format)

    def is_floating_point(self) -> bool:
        """Return whether the elements are real floating point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Return whether the elements are complex numbers."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Return whether the elements can be negative."""
        return self.dtype.is_signed

    def is_conj(self) -> bool:
        """Return whether the conjugation of this view is still to be done (its conj bit)."""
        geometry = self._geometry
        return geometry is not None and geometry.conj

    def is_neg(self) -> bool:
        """Return whether the negation of this view is still to be done (its neg bit)."""
        geometry = self._geometry
        return geometry is not None and geometry.neg

    def is_inference(self) -> bool:
        """Return whether the tensor was made in inference mode."""
        return self._extra is not None and self._extra.inference

    @property
    def is_cpu(self) -> bool:
        """Whether the tensor is on the CPU."""
        return self.device.type == "cpu"

    @property
    def is_cuda(self) -> bool:
        """Whether the tensor is on a GPU."""
        return self.device.type == "cuda"

    @property
    def is_meta(self) -> bool:
        """Whether the tensor has a shape and a type but no values."""
        return self.device is devices.META

    @property
    def is_xla(self) -> bool:
        """Whether the tensor is on a TPU."""
        return self.device.type == "xla"

    @property
    def names(self) -> tuple[None, ...]:
        """The names of the dimensions: none, since tensors have no named dimensions here."""
        return (None,) * self.dim()

    def has_names(self) -> bool:
        """Return whether any dimension is named: no."""
        return False

    @property
    def _version(self) -> int:
        if self._extra is not None and self._extra.inference and self._extra.counter is None:
            raise RuntimeError("Inference tensors do not track version counter.")
        return tape.version_of(self)

    def _is_view(self) -> bool:
        return self._base is not None

    # -- autograd -----------------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients with respect to this tensor are computed."""
        return self._requires_grad or (self._base is not None and tape.requires_grad(self))

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        errors.check(isinstance(value, bool), "requires_grad must be a bool")
        self.requires_grad_(value)

    @requires_grad.deleter
    def requires_grad(self) -> None:
        raise RuntimeError("requires_grad must be a bool")

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Say whether gradients with respect to this leaf are to be computed; returns the tensor.

        Raises RuntimeError for types without gradients and for tensors that are not leaves.

        >>> torch.zeros(2).requires_grad_()
        tensor([0., 0.], requires_grad=True)
        """
        if modes.levels:
            levels.refuse_requires_grad()
        if not isinstance(requires_grad, bool):
            kind = type(requires_grad).__name__
            raise TypeError(f"requires_grad_(): argument 'requires_grad' (position 1) must be bool, not {kind}")
        if requires_grad and not (self.dtype.is_floating_point or self.dtype.is_complex):
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if self._grad_fn is not None:
            if requires_grad:
                return self
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a"
                " subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        if requires_grad and self.is_inference() and not modes.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        self._requires_grad = bool(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by the user rather than by a recorded operation."""
        if self._base is not None:
            tape.refresh_view(self)
        return self._grad_fn is None

    @property
    def grad_fn(self) -> Any:
        """The graph node of the operation that made this tensor, None for leaves."""
        if self._base is not None:
            tape.refresh_view(self)
        return self._grad_fn

    @property
    def output_nr(self) -> int:
        """Which output of ``grad_fn`` this tensor is."""
        return self._output_nr

    @property
    def grad(self) -> Any:
        """The gradient that ``backward`` accumulated here, None before."""
        if self._grad is None and self._grad_fn is not None and not self.retains_grad:
            _sharing.warn_non_leaf_grad()
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            _sharing.check_grad(self, value)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def retains_grad(self) -> bool:
        """Whether this tensor, though not a leaf, keeps its gradient."""
        return self._extra is not None and self._extra.retains_grad

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf in ``grad``.

        >>> x = torch.tensor([1., 2.], requires_grad=True)
        >>> y = x * 2
        >>> y.retain_grad()
        >>> y.sum().backward()
        >>> y.grad
        tensor([1., 1.])
        """
        errors.check(self.requires_grad, "can't retain_grad on Tensor that has requires_grad=False")
        if self._grad_fn is None or self.retains_grad:
            return
        tape.retain(self)

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Compute the gradients of this tensor with respect to the leaves of its graph and add them to their ``grad``.

        ``gradient`` (of this tensor's shape) may be left out for a tensor of one element. ``retain_graph`` keeps what
        the graph saved (default: ``create_graph``), ``create_graph`` records the backward itself, ``inputs`` limits the
        accumulation to those tensors. Raises RuntimeError as PyTorch does for tensors without a graph or one already
        freed.

        >>> x = torch.tensor(3., requires_grad=True)
        >>> (x ** 2).backward()
        >>> x.grad
        tensor(6.)
        """
        run_backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def register_hook(self, hook: Callable[[Tensor], Any]) -> tape.Handle:
        """Call ``hook(grad)`` when the gradient of this tensor is known; what it returns replaces the gradient.

        Returns a handle whose ``remove()`` takes the hook out.

        >>> x = torch.tensor([1., 2.], requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
        """
        errors.check(self.requires_grad, "cannot register a hook on a tensor that doesn't require gradient")
        return tape.register_tensor_hook(self, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> tape.Handle:
        """Call ``hook(tensor)`` each time a gradient was added to this leaf's ``grad``."""
        errors.check(self.requires_grad, "cannot register a hook on a tensor that doesn't require gradient")
        errors.check(self.is_leaf, "post accumulate grad hooks cannot be registered on non-leaf tensors")
        extra = tape.extra_of(self)
        if extra.post_accumulate_hooks is None:
            extra.post_accumulate_hooks = {}
        return tape.Handle(extra.post_accumulate_hooks, hook)

    def detach(self) -> Any:
        """Return a tensor with the same memory that is cut off from the graph.

        >>> torch.ones(2, requires_grad=True).mul(2).detach()
        tensor([2., 2.])
        """
        return levels.detached(self) if modes.levels else _sharing.alias(self)

    def detach_(self) -> Tensor:
        """Cut this tensor off from the graph that made it; it becomes a leaf. Returns the tensor."""
        if self._base is not None and not modes.inference:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP)"
                " for training,"
                " and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_()"
                " cannot be"
                " called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() function in"
                " torch/optim/optimizer.py as the solution."
            )
        if not modes.inference:
            self._grad_fn = None
            self._output_nr = 0
            self._requires_grad = False
        return self

    @property
    def data(self) -> Any:
        """The same memory as a tensor outside the graph, whose writes autograd does not see."""
        return _sharing.data_of(self)

    @data.setter
    def data(self, value: Tensor) -> None:
        _sharing.set_data(self, value)

    # -- conversions --------------------------------------------------------------------------------------------------

    def item(self) -> Any:
        """Return the value of a tensor of one element as a Python number.

        >>> torch.tensor([2.5]).item()
        2.5
        """
        array = dispatch.array_of(self)
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        return _sharing.number(self, array)

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers (a number for a 0-dim tensor).

        >>> torch.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        return _sharing.host_values(self).tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """Return a NumPy array that shares the memory of this CPU tensor.

        ``force=True`` detaches, moves to the CPU and resolves lazy bits first (the array may then be a copy). Raises as
        PyTorch does for tensors that require grad, are on a device, or have a type NumPy lacks.

        >>> torch.tensor([1, 2]).numpy()
        array([1, 2])
        """
        return _sharing.to_numpy(self, force)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_wrap__(self, array: np.ndarray[Any, Any], context: Any = None, return_scalar: bool = False) -> Any:
        if array.dtype == bool:
            array = array.astype("uint8")
        return _sharing.from_numpy(np.asarray(array))

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        return _sharing.to_dlpack(self)

    def __dlpack_device__(self) -> tuple[int, int]:
        device = self.device
        kinds = _sharing.DLDeviceType
        return kinds.kDLCPU if device.type == "cpu" else kinds.kDLCUDA, device.index or 0

    # -- Python protocols ---------------------------------------------------------------------------------------------

    __getitem__ = _indexing.getitem
    __setitem__ = _indexing.setitem
    __delitem__ = _indexing.delitem
    for _function, _name in ((__getitem__, "__getitem__"), (__setitem__, "__setitem__"), (__delitem__, "__delitem__")):
        _function.__name__, _function.__qualname__ = _name, f"Tensor.{_name}"

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("len() of a 0-d tensor")
        return int(shape[0])

    def __iter__(self) -> Iterator[Any]:
        if not self.dim():
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __bool__(self) -> bool:
        array = self._storage.array if self._geometry is None else dispatch.array_of(self)
        if array.size != 1:
            if not array.size:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        if isinstance(array, Batched):
            raise no_control_flow()
        return bool(_sharing.number(self, array))

    def _scalar(self) -> Any:
        if self.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def __int__(self) -> int:
        return int(self._scalar())

    def __float__(self) -> float:
        value = self._scalar()
        if isinstance(value, complex):
            if value.imag:
                raise RuntimeError("value cannot be converted to type double without overflow")
            value = value.real
        return float(value)

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __index__(self) -> int:
        if self.dtype.is_floating_point or self.dtype.is_complex or self.numel() != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __contains__(self, element: Any) -> bool:
        if isinstance(element, Tensor | int | float | complex | bool):
            return bool((self == element).any().item())
        raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        return _printing.tensor_text(self, contents=tensor_contents)

    def __format__(self, spec: str) -> str:
        if self.dim() == 0 and not self.is_meta and type(self) is Tensor:
            return format(self.item(), spec)
        return object.__format__(self, spec)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self)})

    def __copy__(self) -> Any:
        return _instances.shallow_copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return _instances.deep_copy(self, memo)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _instances.reduce_tensor(self)

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute as a plain tensor and give results the class of the operands."""
        return _instances.default_torch_function(cls, func, types, args, kwargs or {})

    # -- memory -------------------------------------------------------------------------------------------------------

    def data_ptr(self) -> int:
        """Return a number that stands for the address of the first element.

        Equal for tensors that share memory there.
        """
        return _sharing.data_ptr(self)

    def untyped_storage(self) -> Any:
        """Return the storage behind the tensor, as bytes."""
        return _storages.UntypedStorage(self._storage)

    def storage(self) -> Any:
        """Return the storage behind the tensor, typed as the tensor is."""
        _storages.warn_of_typed_storage()
        return _storages.TypedStorage(wrap_storage=self.untyped_storage(), dtype=self.dtype)

    def storage_type(self) -> Any:
        """Return the class of the tensor's typed storage: ``torch.FloatStorage`` for float32; None where no class is.

        >>> torch.ones(2).storage_type()
        <class 'torch.FloatStorage'>
        """
        _storages.warn_of_typed_storage()
        if self.is_cuda:
            raise NotImplementedError("Tensor.storage_type: torch.cuda has no legacy storage classes in torchlike")
        return _storages.legacy_class(self.dtype)

    def is_set_to(self, tensor: Tensor) -> bool:
        """Return whether both tensors are the same memory with the same sizes, strides and offset."""
        return self._storage is tensor._storage and dispatch.geometry_of(self) == dispatch.geometry_of(tensor)

    def is_shared(self) -> bool:
        """Return whether processes forked from this one share the memory (GPU memory: always)."""
        return self.is_cuda or _storages.is_shared(self._storage)

    def share_memory_(self) -> Tensor:
        """Move the memory to where processes forked from this one share it. Returns the tensor.

        A process that is started afresh is given a copy of the values.

        >>> torch.ones(2).share_memory_().is_shared()
        True
        """
        _storages.share_memory(self._storage)
        return self

    def is_pinned(self, device: Any = None) -> bool:
        """Return whether the memory is page-locked: jax manages that itself, so no."""
        return False

    def pin_memory(self, device: Any = None) -> Tensor:
        """Accepted for compatibility: jax pins memory for transfers itself. Returns the tensor."""
        return self

    def resize_(self, *sizes: Any, memory_format: Any = layouts.contiguous_format) -> Tensor:
        """Change the sizes in place: memory is kept, cut or extended (with zeros). Returns the tensor.

        >>> torch.tensor([[1, 2], [3, 4]]).resize_(3)
        tensor([1, 2, 3])
        """
        return _sharing.resize_(self, sizes, memory_format)

    def resize_as_(self, the_template: Tensor, *, memory_format: Any = layouts.contiguous_format) -> Tensor:
        """Change the sizes in place to those of another tensor. Returns the tensor."""
        return _sharing.resize_(self, (the_template.shape,), memory_format)

    def set_(self, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
        """Make this tensor look at another tensor's or storage's memory. Returns the tensor."""
        return _sharing.set_(self, source, storage_offset, size, stride)

    def as_subclass(self, cls: type) -> Any:
        """Return the same memory (and history) as an instance of a subclass of Tensor."""
        return _instances.as_subclass(self, cls)

    @staticmethod
    def _make_subclass(cls: type, data: Tensor, require_grad: bool = False) -> Any:  # noqa: PLW0211 - PyTorch's signature
        return _instances.make_subclass(cls, data, require_grad)


def _never(name: str, what: str) -> None:
    def getter(self: Tensor) -> bool:
        return False

    getter.__name__ = name
    getter.__doc__ = f"Whether the tensor is {what}: never, such tensors do not exist here."
    setattr(Tensor, name, property(getter))


for _name, _what in (
    ("is_sparse", "sparse (COO)"),
    ("is_sparse_csr", "sparse (CSR)"),
    ("is_quantized", "quantized"),
    ("is_nested", "nested"),
    ("is_mkldnn", "in oneDNN's layout"),
    ("is_mps", "on an Apple GPU"),
    ("is_xpu", "on an Intel GPU"),
    ("is_ipu", "on an IPU"),
    ("is_vulkan", "on a Vulkan device"),
    ("is_maia", "on a Maia device"),
    ("is_mtia", "on an MTIA device"),
):
    _never(_name, _what)

copyreg.pickle(_TensorMeta, _instances.reduce_class)
follow(Tensor)
tensor_state.announce(Tensor)
