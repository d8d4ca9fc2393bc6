"""Custom operators: kernels for kinds of devices, a formula for the backward, a rule for vmap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torchlike._core import spaces
from torchlike._core.tensor_state import TensorBase, modes
from torchlike._library.schema import Schema
from torchlike._library.tags import Tag
from torchlike.autograd import function as autograd_function
from torchlike.autograd.grad_mode import is_grad_enabled, no_grad
from torchlike.utils import _pytree

__all__ = ["Definition", "definitions", "find", "split_name"]

Kernel = Callable[..., Any]

definitions: dict[str, dict[str, Definition]] = {}
"""Of every namespace the operators defined in it."""

# What serves every kind of device.
_ANY = "any"
_KEYS = {
    "cpu": "cpu",
    "cuda": "cuda",
    "meta": "meta",
    "xla": "xla",
    **dict.fromkeys(("compositeexplicitautograd", "compositeimplicitautograd", "default"), _ANY),
}
_NO_KERNEL = (
    "Could not run '{name}' with arguments from the '{backend}' backend. This could be because the operator doesn't"
    " exist for this backend, or was omitted during the selective/custom build process (if using custom build)."
    " '{name}' is only available for these backends: [{known}]."
)


class Definition:
    """An operator that a program defined."""

    def __init__(self, schema: Schema, *, opaque: bool, tags: tuple[Tag, ...] = ()) -> None:
        self.schema = schema
        self.namespace, self.name = split_name(schema.name)
        self.tags = tags
        self.opaque = opaque
        """Whether autograd sees the operator as one step; kernels given to ``impl`` are seen through."""
        self.kernels: dict[str, Kernel] = {}
        self.disabled: set[str] = set()
        self.fake: Kernel | None = None
        self.backward: Kernel | None = None
        self.setup_context: Kernel | None = None
        self.vmap: Kernel | None = None
        self.autocast: dict[str, Any] = {}
        self.function = _function_of(self)

    def add_kernel(self, key: str, kernel: Kernel) -> None:
        """Enter the kernel of a kind of device, or of a key of PyTorch's dispatcher that stands for one."""
        lowered = key.lower()
        if lowered.startswith("autograd"):
            raise NotImplementedError(
                f"torch.library: kernels for the key {key!r}; use torch.library.register_autograd"
            )
        if lowered not in _KEYS:
            raise NotImplementedError(f"torch.library: kernels for the key {key!r}")
        self.kernels[_KEYS[lowered]] = kernel

    def kernel(self, kind: str) -> Kernel:
        """Return the kernel of a kind of device; NotImplementedError where there is none."""
        if kind == "meta" and "meta" not in self.kernels:
            if self.fake is None:
                raise RuntimeError(
                    f"There was no fake impl registered for <CustomOpDef({self.schema.name})>. This is necessary for"
                    f" torch.compile/export/fx tracing to work. Please use `{self.name}.register_fake` to add an fake"
                    " impl."
                )
            return self.fake
        found = None if kind in self.disabled else self.kernels.get(kind)
        found = found or self.kernels.get(_ANY)
        if found is None:
            known = ", ".join(sorted(k.upper() for k in self.kernels)) or "Meta"
            raise NotImplementedError(_NO_KERNEL.format(name=self.schema.name, backend=kind.upper(), known=known))
        return found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        row, named = self.schema.bind(args, kwargs)
        kind = _device_kind(row, named)
        if kind in self.autocast:
            row, named = self._casted(kind, row, named)
        if not self.opaque and self.backward is None:
            return self.kernel(kind)(*row, **named)
        leaves, structure = _pytree.tree_flatten((tuple(row), named))
        tensors = [x for x in leaves if isinstance(x, TensorBase)]
        watched = is_grad_enabled() and any(t.requires_grad for t in tensors)  # type: ignore[attr-defined]
        if self.schema.mutates or not (watched or modes.levels):
            return self.run(row, named)
        return self.function.apply(structure, *leaves)

    def _casted(self, kind: str, row: list[Any], named: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        from torchlike.amp.autocast_mode import is_autocast_enabled  # noqa: PLC0415 - amp asks for operators

        if not is_autocast_enabled(kind):
            return row, named
        to = self.autocast[kind]

        def cast(x: Any) -> Any:
            return x.to(to) if isinstance(x, TensorBase) and x.is_floating_point() else x  # type: ignore[attr-defined]

        changed: tuple[list[Any], dict[str, Any]] = _pytree.tree_map(cast, (row, named))
        return changed

    def run(self, row: Sequence[Any], named: dict[str, Any]) -> Any:
        """Call the kernel below autograd; RuntimeError where an output is an input."""
        kernel = self.kernel(_device_kind(row, named))
        with no_grad():
            result = kernel(*row, **named)
        self._check_aliases(kernel, (row, named), result)
        return result

    def _check_aliases(self, kernel: Kernel, inputs: Any, result: Any) -> None:
        gives_back = Tag.inplace in self.tags or Tag.out in self.tags
        seen = set() if gives_back else {_memory(x) for x in _tensors(inputs)}
        for output in _tensors(result):
            memory = _memory(output)
            if memory in seen:
                raise RuntimeError(
                    f"{self.name} (with implementation in {kernel.__module__}): The output of this custom operator (1)"
                    " must not also be an input to this custom operator and (2) may not alias any inputs to this custom"
                    " operator or other returns. The most common way to trigger this error is if we have y ="
                    " custom_op(x) and y and x are the same Tensor. Please instead return a clone of the offending"
                    " output tensor(s) (e.g. return x.clone()) or refactor the custom operator to not return y."
                )
            seen.add(memory)


def _tensors(tree: Any) -> Iterator[Any]:
    return (x for x in _pytree.tree_leaves(tree) if isinstance(x, TensorBase))


def _memory(tensor: Any) -> int:
    return id(tensor._storage)


def _device_kind(row: Sequence[Any], named: dict[str, Any]) -> str:
    for tensor in _tensors((row, named)):
        return str(tensor.device.type)
    for value in (*row, *named.values()):
        kind = getattr(value, "type", value)
        if isinstance(kind, str) and kind.split(":")[0] in ("cpu", "cuda", "meta"):
            return kind.split(":")[0]
    return "cpu"


def _function_of(definition: Definition) -> Any:
    """The autograd function of an operator. Its arguments are a structure and the leaves of all arguments."""
    named = f"{definition.namespace}_{definition.name}_default"

    def forward(structure: Any, *leaves: Any) -> Any:
        row, keywords = _pytree.tree_unflatten(list(leaves), structure)
        result = definition.run(row, keywords)
        return tuple(result) if isinstance(result, list) else result

    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        structure, *leaves = inputs
        ctx._structure = structure
        if definition.setup_context is None:
            return
        row, keywords = _pytree.tree_unflatten(leaves, structure)
        if keywords:
            definition.setup_context(ctx=ctx, inputs=row, keyword_only_inputs=keywords, output=output)
        else:
            definition.setup_context(ctx=ctx, inputs=row, output=output)

    def backward(ctx: Any, *grads: Any) -> Any:
        if definition.backward is None:
            raise RuntimeError(
                f"Trying to backward through {definition.namespace}.{definition.name}.default but no autograd formula"
                " was registered. Please use register_autograd to add one."
            )
        given = (list(grads),) if definition.schema.returns == ("Tensor[]",) else grads
        found = definition.backward(ctx, *given)
        found = found if isinstance(found, tuple) else (found,)
        row, _ = _pytree.tree_unflatten([None] * ctx._structure.num_leaves, ctx._structure)
        flat: list[Any] = []
        for own, grad in zip(row, found, strict=True):
            count = len(own) if isinstance(own, (list, tuple)) else 1
            flat.extend(grad if isinstance(own, (list, tuple)) and grad is not None else [grad] * count)
        return None, *flat, *[None] * (ctx._structure.num_leaves - len(flat))

    def vmap(info: Any, in_dims: Any, structure: Any, *leaves: Any) -> Any:
        row, keywords = _pytree.tree_unflatten(list(leaves), structure)
        dims, _ = _pytree.tree_unflatten(list(in_dims[1:]), structure)
        if definition.vmap is None:
            return _one_by_one(definition, info, dims, row, keywords)
        return definition.vmap(info, tuple(dims), *row, **keywords)

    members = {
        "forward": staticmethod(forward),
        "setup_context": staticmethod(setup_context),
        "backward": staticmethod(backward),
        "vmap": staticmethod(vmap),
    }
    kind: Any = type(autograd_function.Function)
    return kind(f"GeneratedBackwardFor_{named}", (autograd_function.Function,), members)


def _one_by_one(
    definition: Definition, info: Any, dims: Sequence[Any], row: Sequence[Any], named: dict[str, Any]
) -> Any:
    """The operator over a batch without a rule of its own: one example after the other, as PyTorch falls back to."""
    from torchlike.ops import _public as ops  # noqa: PLC0415 - the operators are imported after this

    def example(value: Any, dim: Any, index: int) -> Any:
        return value if dim is None else value.select(dim, index)

    results = []
    for index in range(info.batch_size):
        picked = _pytree.tree_map(lambda v, d: example(v, d, index), list(row), list(dims), is_leaf=lambda x: x is None)  # noqa: B023
        results.append(definition(*picked, **named))
    if isinstance(results[0], (tuple, list)):
        stacked = tuple(ops.stack(list(column)) for column in zip(*results, strict=True))
        return stacked, (0,) * len(stacked)
    return ops.stack(results), 0


def split_name(qualname: str) -> tuple[str, str]:
    """Return the namespace and the name in ``namespace::name``; ValueError for anything else."""
    parts = qualname.split("::")
    if len(parts) != 2 or not all(parts):
        raise ValueError(
            f'Expected `qualname` to be of the form "namespace::name", but got {qualname}. The qualname passed to the'
            " torch.library APIs must consist of a namespace and a name, e.g. aten::sin"
        )
    return parts[0], parts[1]


def find(qualname: str) -> Definition:
    """Return a definition; RuntimeError where there is none."""
    namespace, name = split_name(qualname.removesuffix(".default"))
    found = definitions.get(namespace, {}).get(name)
    if found is None and namespace in spaces.absent:
        return Definition(Schema(qualname, (), (), "()"), opaque=False)  # of a library that was not loaded: not kept
    if found is None:
        raise RuntimeError(f"operator {qualname} does not exist")
    return found
