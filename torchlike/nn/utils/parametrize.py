"""Tensors of modules as functions of others: registering and removing parametrisations."""

from __future__ import annotations

import copy
import copyreg
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torchlike.__future__ import get_swap_module_params_on_conversion
from torchlike._core.tensor_state import TensorBase
from torchlike.autograd import no_grad
from torchlike.nn.modules.container import ModuleDict, ModuleList
from torchlike.nn.modules.module import Module
from torchlike.nn.parameter import Parameter
from torchlike.utils._swap import swap_tensors

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

Tensor = Any


class _Cache:
    """The values computed inside `cached` blocks, by module and name."""

    depth: int = 0

    def __init__(self) -> None:
        self.values: dict[tuple[int, str], Tensor] = {}


_cache = _Cache()


@contextmanager
def cached() -> Iterator[None]:
    """A block in which every parametrised tensor is computed once, at its first use.

    >>> m = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> with torch.nn.utils.parametrize.cached():
    ...     print(m.weight is m.weight)
    True
    """
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.values = {}


def _take_up(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _put_into(dest: Tensor, src: Tensor) -> None:
    """Give a tensor the memory of another."""
    if get_swap_module_params_on_conversion():
        if isinstance(dest, Parameter) and not isinstance(src, Parameter):
            src = Parameter(src, requires_grad=dest.requires_grad)
        swap_tensors(dest, src)
    else:
        dest.set_(src)


def _kind(value: Any) -> str:
    return type(value).__name__


class ParametrizationList(ModuleList):
    """The parametrisations of one tensor, applied one after the other, and the tensors that they start from.

    Those are ``original``, or ``original0``, ``original1`` ... where the last ``right_inverse`` returns a sequence.
    Raises ValueError where the result has another dtype or shape than the tensor, unless ``unsafe``.

    >>> class Double(torch.nn.Module):
    ...     def forward(self, x):
    ...         return 2 * x
    >>> m = torch.nn.utils.parametrize.register_parametrization(torch.nn.Linear(2, 1), "weight", Double())
    >>> m.parametrizations.weight
    ParametrizationList(
      (0): Double()
    )
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        dtype, shape = original.dtype, original.shape
        start = self._inverted(original)
        self.is_tensor = isinstance(start, TensorBase)
        self.ntensors = 1 if self.is_tensor else len(start)
        if self.is_tensor:
            self._start_from_one(original, start)
        else:
            self._start_from_many(original, start)
        if not unsafe:
            self._check_result(dtype, shape)

    def _inverted(self, original: Tensor) -> Any:
        """What the parametrisations have to start from to give a value, as far as they can tell."""
        start = original
        with no_grad():
            for module in reversed(list(self)):
                inverse = getattr(module, "right_inverse", None)
                if inverse is not None:
                    try:
                        start = inverse(start)
                    except NotImplementedError:
                        continue  # It has one in name only: the value stays.
        if not isinstance(start, TensorBase | Sequence):
            raise ValueError(
                f"'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got {_kind(start)}"
            )
        return start

    def _start_from_one(self, original: Tensor, start: Tensor) -> None:
        for what in ("dtype", "device"):
            before, after = getattr(original, what), getattr(start, what)
            if before != after:
                raise ValueError(
                    f"When `right_inverse` outputs one tensor, it may not change the {what}.\n"
                    f"original.{what}: {before}\nright_inverse(original).{what}: {after}"
                )
        with no_grad():
            _put_into(original, start)
        _take_up(self, "original", original)

    def _start_from_many(self, original: Tensor, start: Sequence[Tensor]) -> None:
        for i, part in enumerate(start):
            if not isinstance(part, TensorBase):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got element"
                    f" {i} of the sequence with type {_kind(part)}."
                )
            piece: Any = part
            if isinstance(original, Parameter):
                piece = Parameter(piece, original.requires_grad)
            piece.requires_grad_(original.requires_grad)
            _take_up(self, f"original{i}", piece)

    def _check_result(self, dtype: Any, shape: Any) -> None:
        result = self()
        if not isinstance(result, TensorBase):
            raise ValueError(f"A parametrization must return a tensor. Got {_kind(result)}.")
        for what, before in (("dtype", dtype), ("shape", shape)):
            after = getattr(result, what)
            if after != before:
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is"
                    f" enabled.\nunparametrized {what}: {before}\nparametrized {what}: {after}"
                )

    def right_inverse(self, value: Tensor) -> None:
        """Change the originals so that the tensor gets a value. Raises RuntimeError without a ``right_inverse``."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {_kind(module)} does not implement right_inverse.")
                value = module.right_inverse(value)
            if self.is_tensor:
                self._store_one(value)
            else:
                self._store_many(value)

    def _store_one(self, value: Any) -> None:
        if not isinstance(value, TensorBase):
            raise ValueError(f"`right_inverse` should return a tensor. Got {_kind(value)}")
        given: Any = value
        if given.dtype != self.original.dtype:
            raise ValueError(
                f"The tensor returned by `right_inverse` has dtype {given.dtype} while `original` has dtype"
                f" {self.original.dtype}"
            )
        _put_into(self.original, given)

    def _store_many(self, values: Any) -> None:
        if not isinstance(values, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {_kind(values)}.")
        if len(values) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of length"
                f" {len(values)}."
            )
        for i, value in enumerate(values):
            if not isinstance(value, TensorBase):
                raise ValueError(
                    f"'right_inverse' must return a sequence of tensors or reference-type opaques. Got element {i} of"
                    f" type {_kind(value)}."
                )
            original, given = getattr(self, f"original{i}"), value
            if original.dtype != given.dtype:  # type: ignore[attr-defined]
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {given.dtype} while"  # type: ignore[attr-defined]
                    f" `original{i}` has dtype {original.dtype}"
                )
            _put_into(original, given)

    def forward(self) -> Tensor:
        """Compute the tensor."""
        first, *rest = self
        if self.is_tensor:
            value = first(self.original)
        else:
            value = first(*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        for module in rest:
            value = module(value)
        return value


# ---------------------------------------------------------------------------------------------------------------------
# The classes of parametrised modules


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    """Copy a module whose class was made for it."""
    found = memo.get(id(self))
    if found is not None:
        return found
    replica = memo[id(self)] = self.__new__(type(self))
    replica.__dict__ = copy.deepcopy(self.__dict__, memo)
    for slot in copyreg._slotnames(type(self)):  # type: ignore[attr-defined]
        if hasattr(self, slot):
            setattr(replica, slot, copy.deepcopy(getattr(self, slot), memo))
    return replica


def _getstate(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _own_class(module: Module) -> None:
    """Give a module a class of its own, which can have a property for the parametrised tensor."""
    cls = type(module)
    members: dict[str, Any] = {"__getstate__": _getstate}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _add_property(module: Module, name: str) -> None:
    def get(self: Any) -> Tensor:
        compute = self.parametrizations[name]
        if not _cache.depth:
            return compute()
        key = (id(module), name)
        if key not in _cache.values:
            _cache.values[key] = compute()
        return _cache.values[key]

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


# ---------------------------------------------------------------------------------------------------------------------
# Public functions


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make a parameter or buffer of a module the result of another module; returns the module.

    ``module.<name>`` is computed anew at every use from ``module.parametrizations.<name>.original``. A second
    parametrisation of the same tensor is applied after the first. Assigning to the tensor calls ``right_inverse``,
    where there is one. Raises ValueError where dtype or shape would change, unless ``unsafe``, and for unknown names.

    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).mT
    >>> m = torch.nn.utils.parametrize.register_parametrization(torch.nn.Linear(3, 3), "weight", Symmetric())
    >>> torch.equal(m.weight, m.weight.mT)
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_addition(module, tensor_name, parametrization)
        chain: Any = module.parametrizations[tensor_name]
        chain.append(parametrization)
        chain.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        chain = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _own_class(module)
            module.parametrizations = ModuleDict()
        _add_property(module, tensor_name)
        module.parametrizations[tensor_name] = chain
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name"
            f" '{tensor_name}'"
        )
    return module


def _check_addition(module: Module, name: str, parametrization: Module) -> None:
    """Refuse a further parametrisation that changes dtype or shape, there or back."""
    before = getattr(module, name)
    after = parametrization(before)
    if not isinstance(after, TensorBase):
        raise ValueError(f"A parametrization must return a tensor. Got {_kind(after)}.")
    for what in ("dtype", "shape"):
        if getattr(after, what) != getattr(before, what):
            raise ValueError(
                f"Registering a parametrization may not change the {what} of the tensor, unless the `unsafe` flag is"
                f" enabled.\nmodule.{name}.{what}: {getattr(before, what)}\n"
                f"parametrization(module.{name}).{what}: {getattr(after, what)}"
            )
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(after)
    except NotImplementedError:
        return
    if not isinstance(back, TensorBase):
        raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {_kind(back)}")
    for what in ("dtype", "shape"):
        if getattr(back, what) != getattr(before, what):
            raise ValueError(
                f"The tensor returned by parametrization.right_inverse must have the same {what} as module.{name},"
                f" unless the `unsafe` flag is enabled.\nmodule.{name}.{what}: {getattr(before, what)}\n"
                f"returned {what}: {getattr(back, what)}"
            )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a module has parametrised tensors, or whether the one of that name is.

    >>> torch.nn.utils.parametrize.is_parametrized(torch.nn.Linear(1, 1))
    False
    """
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a parametrised tensor an ordinary one again; returns the module.

    It keeps the computed value, or with ``leave_parametrized=False`` the original one, which only a single original can
    be. Raises ValueError for a tensor that is not parametrised.

    >>> m = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> torch.nn.utils.parametrize.remove_parametrizations(m, "weight")
    Linear(in_features=2, out_features=2, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chains: Any = module.parametrizations
    chain = chains[tensor_name]
    if chain.is_tensor:
        original = chain.original
        if leave_parametrized:
            with no_grad():
                _put_into(original, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a"
            " sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del chains[tensor_name]
    _take_up(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class that a module had before its tensors were parametrised.

    >>> m = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> torch.nn.utils.parametrize.type_before_parametrizations(m) is torch.nn.Linear
    True
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give a module the parametrisations of another, for all its tensors or one, and the originals; returns it.

    >>> first = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> second = torch.nn.utils.parametrize.transfer_parametrizations_and_params(first, torch.nn.Linear(2, 2))
    >>> torch.equal(first.weight, second.weight)
    True
    """
    if not is_parametrized(from_module):
        return to_module
    chains: Any = from_module.parametrizations
    for name in list(chains) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name)))
        for parametrization in chains[name]:
            register_parametrization(to_module, name, parametrization)
        target: Any = to_module.parametrizations[name]
        if hasattr(chains[name], "original"):
            target.original = chains[name].original
        else:
            for i in range(chains[name].ntensors):
                setattr(target, f"original{i}", getattr(chains[name], f"original{i}"))
    return to_module
