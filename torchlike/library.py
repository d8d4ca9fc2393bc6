"""Operators of one's own: ``torch.library``.

An operator has a schema, a kernel for each kind of device, and, where it is to be differentiated, a formula for the
backward. It is called through what `custom_op` returns, or as ``torch.ops.namespace.name``.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from torchlike._library import definitions as known
from torchlike._library import namespaces
from torchlike._library.definitions import Definition, find, split_name
from torchlike._library.schema import Schema, infer_schema, parse
from torchlike._library.tags import as_tags

__all__ = [
    "Library",
    "custom_op",
    "define",
    "fallthrough_kernel",
    "get_ctx",
    "get_kernel",
    "impl",
    "impl_abstract",
    "infer_schema",
    "register_autocast",
    "register_fake",
    "register_torch_dispatch",
    "register_vmap",
    "triton_op",
    "wrap_triton",
]

Function = Callable[..., Any]


def _enter(schema: Schema, *, opaque: bool, tags: Any = ()) -> Definition:
    definition = Definition(schema, opaque=opaque, tags=as_tags(tags))
    known.definitions.setdefault(definition.namespace, {})[definition.name] = definition
    namespaces.forget(definition.namespace, definition.name)
    return definition


def _definition(op: Any) -> Definition:
    if isinstance(op, CustomOpDef):
        return op._definition
    if isinstance(op, namespaces.OpOverload):
        op = op.name()
    if not isinstance(op, str):
        raise ValueError(f"register_...(op): got unexpected type for op: {type(op)}")
    return find(op)


def _device_types(device_types: str | Iterable[str] | None) -> list[str]:
    if device_types is None:
        return ["default"]
    return [device_types] if isinstance(device_types, str) else list(device_types)


class CustomOpDef:
    """An operator made by `custom_op`; call it like the function that it was made of."""

    def __init__(self, definition: Definition, fn: Function) -> None:
        self._definition = definition
        self._init_fn = fn
        functools.update_wrapper(self, fn)

    @property
    def _namespace(self) -> str:
        return self._definition.namespace

    @property
    def _name(self) -> str:
        return self._definition.name

    @property
    def _qualname(self) -> str:
        return self._definition.schema.name

    @property
    def _opoverload(self) -> namespaces.OpOverload:
        return getattr(namespaces.namespace(self._namespace), self._name).default

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._qualname})>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._definition(*args, **kwargs)

    def register_kernel(self, device_types: str | Sequence[str] | None, fn: Function | None = None, /) -> Function:
        """Enter a function as the kernel for kinds of devices, for all of them where None is given; a decorator too."""

        def enter(function: Function) -> Function:
            for kind in _device_types(device_types):
                self._definition.add_kernel(kind, function)
            return function

        return enter if fn is None else enter(fn)

    def register_fake(self, fn: Function, /) -> Function:
        """Enter a function that gives outputs of the right shapes and types without computing them."""
        self._definition.fake = fn
        return fn

    def register_autograd(self, backward: Function, /, *, setup_context: Function | None = None) -> None:
        """Enter the formula of the backward, ``backward(ctx, *grads)``, and what it needs to keep.

        ``setup_context(ctx, inputs, output)`` may save tensors; with keyword-only arguments it is also given
        ``keyword_only_inputs``. Raises RuntimeError for an operator that writes to its inputs.
        """
        if self._definition.schema.mutates:
            raise RuntimeError(
                f"Cannot register autograd formula for non-functional operator {self} with schema"
                f" {self._definition.schema}. Please create a functional operator and register an autograd formula for"
                " that."
            )
        self._definition.backward, self._definition.setup_context = backward, setup_context

    def register_vmap(self, func: Function | None = None) -> Any:
        """Enter a rule for vmap: ``func(info, in_dims, *args)`` gives outputs and their dimensions. A decorator too."""

        def enter(function: Function) -> Function:
            self._definition.vmap = function
            return function

        return enter if func is None else enter(func)

    def register_autocast(self, device_type: str, cast_inputs: Any) -> None:
        """Have floating-point inputs cast to a type where autocast is on for a kind of device."""
        if device_type not in ("cpu", "cuda"):
            raise ValueError(f"Unknown device type: {device_type}")
        self._definition.autocast[device_type] = cast_inputs

    def register_torch_dispatch(self, torch_dispatch_class: Any, fn: Function | None = None, /) -> NoReturn:
        """Enter a rule for a class with ``__torch_dispatch__``: NotImplementedError, there is no such dispatch."""
        raise NotImplementedError("torch.library: register_torch_dispatch")

    def set_kernel_enabled(self, device_type: str, enabled: bool = True) -> Any:
        """Switch the kernel of a kind of device on or off; a context manager that restores it."""
        kind = device_type.lower()
        was = kind not in self._definition.disabled
        (self._definition.disabled.discard if enabled else self._definition.disabled.add)(kind)
        return _Restored(self._definition, kind, was)


class _Restored:
    def __init__(self, definition: Definition, kind: str, enabled: bool) -> None:
        self.definition, self.kind, self.enabled = definition, kind, enabled

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        (self.definition.disabled.discard if self.enabled else self.definition.disabled.add)(self.kind)


def custom_op(
    name: str,
    fn: Function | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: str | Sequence[str] | None = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Make an operator of a function; a decorator too.

    ``name`` is ``namespace::name``, ``mutates_args`` names the tensors that the function writes to, ``device_types``
    the kinds of devices that it serves (all of them without it). The schema is inferred from the annotations unless one
    is given. Raises ValueError for a name without a namespace and for annotations that schemas do not have.

    >>> @torch.library.custom_op("docs::twice", mutates_args=())
    ... def twice(x: torch.Tensor) -> torch.Tensor:
    ...     return x * 2
    >>> torch.ops.docs.twice(torch.ones(2))
    tensor([2., 2.])
    """

    def make(function: Function) -> CustomOpDef:
        split_name(name)
        text = infer_schema(function, mutates_args=mutates_args) if schema is None else schema
        made = CustomOpDef(_enter(parse(name, text), opaque=True, tags=tags), function)
        made.register_kernel(device_types, function)
        return made

    return make if fn is None else make(fn)


def define(qualname: str, schema: str, *, lib: Library | None = None, tags: Any = ()) -> Any:
    """Define an operator by its schema; `impl` gives it kernels.

    >>> torch.library.define("docs::plus", "(Tensor x, int n=1) -> Tensor")
    >>> @torch.library.impl("docs::plus", "cpu")
    ... def plus(x, n=1):
    ...     return x + n
    >>> torch.ops.docs.plus(torch.ones(1), n=2)
    tensor([3.])
    """
    if not isinstance(qualname, str):
        raise ValueError(f"define(qualname, schema): expected qualname to be instance of str, got {type(qualname)}")
    split_name(qualname)
    if not schema.strip().startswith("("):
        raise ValueError(
            'define(qualname, schema, ...): expected schema to look like e.g. "(Tensor x) -> Tensor" but got'
            f' "{schema}"'
        )
    _enter(parse(qualname, schema), opaque=False, tags=tags)
    return None


def impl(qualname: str, types: str | Sequence[str], func: Function | None = None, *, lib: Library | None = None) -> Any:
    """Enter a function as the kernel of an operator for kinds of devices, ``"default"`` for all; a decorator too."""

    def enter(function: Function) -> Function:
        definition = find(qualname)
        for kind in [types] if isinstance(types, str) else types:
            definition.add_kernel(kind, function)
        return function

    if func is None:
        return enter
    enter(func)
    return None


def register_fake(
    op: Any,
    func: Function | None = None,
    /,
    *,
    lib: Library | None = None,
    _stacklevel: int = 1,
    allow_override: bool = True,
) -> Any:
    """Enter a function that gives outputs of the right shapes for meta tensors, without computing; a decorator too.

    >>> _ = torch.library.custom_op("docs::roots", lambda x: x.sqrt(), mutates_args=(), schema="(Tensor x) -> Tensor")
    >>> @torch.library.register_fake("docs::roots")
    ... def _(x):
    ...     return torch.empty_like(x)
    >>> torch.ops.docs.roots(torch.empty(3, device="meta")).shape
    torch.Size([3])
    """

    def enter(function: Function) -> Function:
        _definition(op).fake = function
        return function

    return enter if func is None else enter(func)


def impl_abstract(
    qualname: str, func: Function | None = None, *, lib: Library | None = None, _stacklevel: int = 1
) -> Any:
    """`register_fake` by its former name; warns."""
    warnings.warn(
        "torch.library.impl_abstract was renamed to torch.library.register_fake. Please use that instead; we will"
        " remove torch.library.impl_abstract in a future version of PyTorch.",
        DeprecationWarning,
        stacklevel=2,
    )
    return register_fake(qualname, func, lib=lib)


def register_kernel(
    op: Any, device_types: str | Sequence[str] | None, func: Function | None = None, /, *, lib: Library | None = None
) -> Any:
    """Enter a function as the kernel of an operator for kinds of devices; a decorator too."""

    def enter(function: Function) -> Function:
        for kind in _device_types(device_types):
            _definition(op).add_kernel(kind, function)
        return function

    return enter if func is None else enter(func)


def register_autograd(
    op: Any, backward: Function, /, *, setup_context: Function | None = None, lib: Library | None = None
) -> None:
    """Enter the formula of an operator's backward; see ``CustomOpDef.register_autograd``.

    >>> @torch.library.custom_op("docs::squared", mutates_args=())
    ... def squared(x: torch.Tensor) -> torch.Tensor:
    ...     return x * x
    >>> def keep(ctx, inputs, output):
    ...     ctx.save_for_backward(inputs[0])
    >>> def slope(ctx, grad):
    ...     return 2 * grad * ctx.saved_tensors[0]
    >>> torch.library.register_autograd("docs::squared", slope, setup_context=keep)
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> squared(x).backward()
    >>> x.grad
    tensor(6.)
    """
    definition = _definition(op)
    if definition.schema.mutates:
        raise RuntimeError(
            f"Cannot register autograd formula for non-functional operator {op} with schema {definition.schema}. Please"
            " create a functional operator and register an autograd formula for that."
        )
    definition.backward, definition.setup_context = backward, setup_context


def register_vmap(op: Any, func: Function | None = None, /, *, lib: Library | None = None) -> Any:
    """Enter an operator's rule for vmap; see ``CustomOpDef.register_vmap``."""

    def enter(function: Function) -> Function:
        _definition(op).vmap = function
        return function

    return enter if func is None else enter(func)


def register_autocast(op: Any, device_type: str, cast_inputs: Any, /, *, lib: Library | None = None) -> None:
    """Have an operator's floating-point inputs cast to a type where autocast is on for a kind of device."""
    if device_type not in ("cpu", "cuda"):
        raise ValueError(f"Unknown device type: {device_type}")
    _definition(op).autocast[device_type] = cast_inputs


def register_torch_dispatch(
    op: Any, torch_dispatch_class: Any, func: Function | None = None, /, *, lib: Library | None = None
) -> NoReturn:
    """Enter a rule for a class with ``__torch_dispatch__``: NotImplementedError, there is no such dispatch."""
    raise NotImplementedError("torch.library.register_torch_dispatch")


def triton_op(
    name: str, fn: Function | None = None, /, *, mutates_args: str | Iterable[str], schema: str | None = None
) -> NoReturn:
    """Make an operator of Triton kernels: NotImplementedError. jax has Pallas for kernels of one's own."""
    raise NotImplementedError("torch.library.triton_op")


def wrap_triton(triton_kernel: Function, /) -> NoReturn:
    """Make a Triton kernel traceable: NotImplementedError."""
    raise NotImplementedError("torch.library.wrap_triton")


def get_ctx() -> NoReturn:
    """Return the context of a fake kernel, which makes sizes that depend on data: NotImplementedError."""
    raise NotImplementedError("torch.library.get_ctx: sizes that depend on data, in fake kernels")


def get_kernel(op: Any, dispatch_key: Any) -> Function:
    """Return the kernel that an operator has for a kind of device; NotImplementedError where there is none."""
    return _definition(op).kernel(str(getattr(dispatch_key, "name", dispatch_key)).lower())


def fallthrough_kernel() -> NoReturn:
    """Mark a key as one to be passed over; it is not to be called."""
    raise NotImplementedError("fallthrough_kernel() should never be called.")


class Library:
    """A place for definitions (``"DEF"``, ``"FRAGMENT"``) or kernels (``"IMPL"``) of a namespace.

    >>> library = torch.library.Library("docs_library", "DEF")
    >>> library.define("cosine(Tensor x) -> Tensor")
    'cosine'
    >>> library.impl("cosine", torch.cos, "CPU")
    >>> torch.ops.docs_library.cosine(torch.zeros(1))
    tensor([1.])
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("IMPL", "DEF", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        if ns in ("prim", "prims") or (ns == "aten" and kind in ("DEF", "FRAGMENT")):
            raise ValueError(f"{ns} is a reserved namespace. Please try creating a library with another name.")
        if kind == "DEF":
            if ns in _owned:
                raise RuntimeError(
                    f"Only a single TORCH_LIBRARY can be used to register the namespace {ns}; please put all of your"
                    " definitions in a single TORCH_LIBRARY block.  If you were trying to specify implementations,"
                    " consider using TORCH_LIBRARY_IMPL (which can be duplicated)."
                )
            _owned.add(ns)
        self.ns = ns
        self.kind = kind
        self.dispatch_key = dispatch_key
        self._defined: list[str] = []

    def __repr__(self) -> str:
        return f"Library(kind={self.kind}, ns={self.ns}, dispatch_key={self.dispatch_key})>"

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Define an operator by a schema with its name, and return the name."""
        name, bracket, rest = schema.partition("(")
        name = name.strip()
        if self.kind == "IMPL":
            raise RuntimeError(
                f'def("{name}"): Cannot define an operator inside of a TORCH_LIBRARY_IMPL block.  All def()s should be'
                " placed in the (unique) TORCH_LIBRARY block for their namespace."
            )
        if alias_analysis not in ("", "FROM_SCHEMA", "CONSERVATIVE"):
            raise RuntimeError(f"Invalid alias_analysis type {alias_analysis}")
        _enter(parse(f"{self.ns}::{name}", bracket + rest), opaque=False, tags=tags)
        self._defined.append(name)
        return name

    def impl(
        self,
        op_name: Any,
        fn: Function,
        dispatch_key: str = "",
        *,
        with_keyset: bool = False,
        allow_override: bool = False,
    ) -> None:
        """Enter a kernel for a kind of device, that of the library where none is named."""
        if not callable(fn):
            raise TypeError(f"Input function is required to be a callable but found type {type(fn)}")
        key = dispatch_key or self.dispatch_key or "CompositeImplicitAutograd"
        if isinstance(op_name, str):
            name = op_name if "::" in op_name else f"{self.ns}::{op_name}"
        elif isinstance(op_name, namespaces.OpOverload):
            name = op_name.name()
        else:
            raise RuntimeError("impl should be passed either a name or an OpOverload object as the first argument")
        find(name).add_kernel(key, fn)

    def register_symm_mem_args(self, op_name: str, arg_names: Sequence[str]) -> None:
        """Note which arguments must lie in memory that several processes share: NotImplementedError."""
        raise NotImplementedError("torch.library.Library.register_symm_mem_args")

    def _destroy(self) -> None:
        for name in self._defined:
            known.definitions.get(self.ns, {}).pop(name, None)
            namespaces.forget(self.ns, name)
        if self.kind == "DEF":
            _owned.discard(self.ns)


_owned: set[str] = set()


def opcheck(
    op: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
    *,
    test_utils: str | Sequence[str] = ("test_schema", "test_autograd_registration", "test_faketensor"),
    raise_exception: bool = True,
    atol: float | None = None,
    rtol: float | None = None,
) -> dict[str, str]:
    """Check a custom operator on an example: that it writes to what its schema says and that its fake kernel agrees.

    Returns what became of each check, ``"SUCCESS"`` or the exception. Raises that exception unless told not to.
    """
    from torchlike._library.checking import check  # noqa: PLC0415 - the checks need all of the package

    names = [test_utils] if isinstance(test_utils, str) else list(test_utils)
    return check(_definition(op), args, kwargs or {}, names, raise_exception)
