"""Nested containers taken apart into leaves and put together again: PyTorch's ``torch.utils._pytree``.

Containers are lists, tuples, named tuples, dicts, OrderedDicts, defaultdicts, deques and what `register_pytree_node`
adds. None is a leaf, and dicts keep their order, both unlike jax's pytrees.
"""

from __future__ import annotations

import functools
import importlib
import json
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from torchlike._core.size import Size
from torchlike.utils._pytree_keys import GetAttrKey, KeyEntry, KeyPath, MappingKey, SequenceKey, key_get, keystr

__all__ = [
    "Context",
    "DumpableContext",
    "FlattenFn",
    "FromDumpableContextFn",
    "LeafSpec",
    "PyTree",
    "PyTreeSpec",
    "ToDumpableContextFn",
    "TreeSpec",
    "UnflattenFn",
    "is_namedtuple",
    "is_namedtuple_class",
    "is_namedtuple_instance",
    "is_structseq",
    "is_structseq_class",
    "is_structseq_instance",
    "key_get",
    "keystr",
    "register_pytree_node",
    "tree_all",
    "tree_all_only",
    "tree_any",
    "tree_any_only",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_only_",
    "tree_map_with_path",
    "tree_structure",
    "tree_unflatten",
    "treespec_dumps",
    "treespec_loads",
    "treespec_pprint",
]

PyTree: TypeAlias = Any
Context: TypeAlias = Any
DumpableContext: TypeAlias = Any
FlattenFn: TypeAlias = Callable[[PyTree], tuple[list[Any], Context]]
UnflattenFn: TypeAlias = Callable[[Iterable[Any], Context], PyTree]
ToDumpableContextFn: TypeAlias = Callable[[Context], DumpableContext]
FromDumpableContextFn: TypeAlias = Callable[[DumpableContext], Context]
IsLeaf: TypeAlias = Callable[[PyTree], bool] | None


# Kinds of containers --------------------------------------------------------------------------------------------------


class NodeDef(NamedTuple):
    """How one kind of container is taken apart and put together."""

    type: type[Any]
    flatten_fn: FlattenFn
    unflatten_fn: UnflattenFn
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[KeyEntry, Any]], Context]] | None
    serialized_type_name: str | None = None
    to_dumpable_context: ToDumpableContextFn | None = None
    from_dumpable_context: FromDumpableContextFn | None = None


# What stands for all named tuples in the table of kinds.
class namedtuple:
    """The kind of every named tuple."""


SUPPORTED_NODES: dict[Any, NodeDef] = {}


def _named(cls: type[Any]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def register_pytree_node(
    cls: type[Any],
    flatten_fn: FlattenFn,
    unflatten_fn: UnflattenFn,
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: ToDumpableContextFn | None = None,
    from_dumpable_context: FromDumpableContextFn | None = None,
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[KeyEntry, Any]], Context]] | None = None,
) -> None:
    """Make a class a container.

    ``flatten_fn`` returns ``(children, context)``, ``unflatten_fn(children, context)`` the object again. Raises
    ValueError for a class that is one already, or when only one of the two context converters is given.

    >>> pytree = torch.utils._pytree
    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> pytree.register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda children, _: Pair(*children))
    >>> pytree.tree_leaves(Pair(1, [2]))
    [1, 2]
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    if (to_dumpable_context is None) != (from_dumpable_context is None):
        raise ValueError(f"Both to_dumpable_context and from_dumpable_context for {cls} must be None or registered.")
    SUPPORTED_NODES[cls] = NodeDef(
        cls,
        flatten_fn,
        unflatten_fn,
        flatten_with_keys_fn,
        serialized_type_name,
        to_dumpable_context,
        from_dumpable_context,
    )


_register_pytree_node = register_pytree_node


def _list_flatten(d: list[Any]) -> tuple[list[Any], Context]:
    return d, None


def _list_unflatten(values: Iterable[Any], context: Context) -> list[Any]:
    return list(values)


def _sequence_with_keys(d: Any) -> list[tuple[KeyEntry, Any]]:
    return [(SequenceKey(i), value) for i, value in enumerate(d)]


def _list_flatten_with_keys(d: list[Any]) -> tuple[list[tuple[KeyEntry, Any]], Context]:
    return _sequence_with_keys(d), None


def _tuple_flatten(d: tuple[Any, ...]) -> tuple[list[Any], Context]:
    return list(d), None


def _tuple_unflatten(values: Iterable[Any], context: Context) -> tuple[Any, ...]:
    return tuple(values)


def _dict_flatten(d: dict[Any, Any]) -> tuple[list[Any], Context]:
    return list(d.values()), list(d)


def _dict_unflatten(values: Iterable[Any], context: Context) -> dict[Any, Any]:
    return dict(zip(context, values, strict=True))


def _dict_flatten_with_keys(d: dict[Any, Any]) -> tuple[list[tuple[KeyEntry, Any]], Context]:
    return [(MappingKey(key), value) for key, value in d.items()], list(d)


def _register_containers() -> None:
    register_pytree_node(
        tuple,
        _tuple_flatten,
        _tuple_unflatten,
        serialized_type_name="builtins.tuple",
        flatten_with_keys_fn=lambda d: (_sequence_with_keys(d), None),
    )
    register_pytree_node(
        list,
        _list_flatten,
        _list_unflatten,
        serialized_type_name="builtins.list",
        flatten_with_keys_fn=_list_flatten_with_keys,
    )
    register_pytree_node(
        dict,
        _dict_flatten,
        _dict_unflatten,
        serialized_type_name="builtins.dict",
        flatten_with_keys_fn=_dict_flatten_with_keys,
    )
    register_pytree_node(
        namedtuple,
        lambda d: (list(d), type(d)),
        lambda values, context: context(*values),
        serialized_type_name="collections.namedtuple",
        to_dumpable_context=_named,
        from_dumpable_context=_found,
        flatten_with_keys_fn=lambda d: ([(GetAttrKey(f), v) for f, v in zip(d._fields, d, strict=True)], type(d)),
    )
    register_pytree_node(
        OrderedDict,
        _dict_flatten,
        lambda values, context: OrderedDict(zip(context, values, strict=True)),
        serialized_type_name="collections.OrderedDict",
        flatten_with_keys_fn=_dict_flatten_with_keys,
    )
    register_pytree_node(
        defaultdict,
        lambda d: (list(d.values()), [d.default_factory, list(d)]),
        lambda values, context: defaultdict(context[0], zip(context[1], values, strict=True)),
        serialized_type_name="collections.defaultdict",
        to_dumpable_context=lambda context: [_named(context[0]) if context[0] else None, context[1]],
        from_dumpable_context=lambda dumped: [_found(dumped[0]) if dumped[0] else None, dumped[1]],
        flatten_with_keys_fn=lambda d: (
            [(MappingKey(key), value) for key, value in d.items()],
            [d.default_factory, list(d)],
        ),
    )
    register_pytree_node(
        deque,
        lambda d: (list(d), d.maxlen),
        lambda values, context: deque(values, maxlen=context),
        serialized_type_name="collections.deque",
        flatten_with_keys_fn=lambda d: (_sequence_with_keys(d), d.maxlen),
    )
    register_pytree_node(
        Size, lambda d: (list(d), None), lambda values, context: tuple(values), serialized_type_name="torch.Size"
    )


def _found(name: str) -> Any:
    module, _, rest = name.partition(".")
    while True:
        try:
            value: Any = importlib.import_module(module)
            for part in rest.split("."):
                value = getattr(value, part)
            return value
        except AttributeError:
            head, _, rest = rest.partition(".")
            if not rest:
                raise
            module = f"{module}.{head}"


def is_namedtuple_class(cls: type) -> bool:
    """Whether a class is that of a named tuple.

    >>> torch.utils._pytree.is_namedtuple_class(tuple)
    False
    """
    if not (isinstance(cls, type) and issubclass(cls, tuple)):
        return False
    fields = getattr(cls, "_fields", None)
    return isinstance(fields, tuple) and all(type(field) is str for field in fields)


def is_namedtuple_instance(obj: object) -> bool:
    """Whether an object is a named tuple.

    >>> torch.utils._pytree.is_namedtuple_instance((1, 2))
    False
    """
    return is_namedtuple_class(type(obj))


def is_namedtuple(obj: object | type) -> bool:
    """Whether an object is a named tuple, or a class that of one.

    >>> torch.utils._pytree.is_namedtuple([])
    False
    """
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_structseq_class(cls: type) -> bool:
    """Whether a class is that of one of Python's own structure sequences, such as ``time.struct_time``.

    >>> import time
    >>> torch.utils._pytree.is_structseq_class(time.struct_time)
    True
    """
    counts = ("n_fields", "n_sequence_fields", "n_unnamed_fields")
    return (
        isinstance(cls, type) and cls.__bases__ == (tuple,) and all(type(getattr(cls, c, None)) is int for c in counts)
    )


def is_structseq_instance(obj: object) -> bool:
    """Whether an object is a structure sequence.

    >>> torch.utils._pytree.is_structseq_instance((1, 2))
    False
    """
    return is_structseq_class(type(obj))


def is_structseq(obj: object | type) -> bool:
    """Whether an object is a structure sequence, or a class that of one.

    >>> torch.utils._pytree.is_structseq([])
    False
    """
    return is_structseq_class(obj if isinstance(obj, type) else type(obj))


def _get_node_type(tree: Any) -> Any:
    kind = type(tree)
    return namedtuple if kind not in SUPPORTED_NODES and is_namedtuple_class(kind) else kind


# Structures -----------------------------------------------------------------------------------------------------------


class TreeSpec:
    """The structure of a tree: the kind of its container, its context, and the structures of its children.

    >>> pytree = torch.utils._pytree
    >>> pytree.tree_structure([1, (2, 3)]).num_leaves
    3
    """

    __slots__ = ("_children", "_context", "num_children", "num_leaves", "num_nodes", "type")

    def __init__(self, type: Any, context: Context, children_specs: list[TreeSpec]) -> None:
        self.type = type
        self._context = context
        self._children = children_specs
        self.num_children: int = len(children_specs)
        self.num_nodes: int = 1 + sum(child.num_nodes for child in children_specs)
        self.num_leaves: int = 1 if type is None else sum(child.num_leaves for child in children_specs)

    @property
    def context(self) -> Context:
        """What the container needs besides its children: the keys of a dict ..."""
        return self._context

    @property
    def children_specs(self) -> list[TreeSpec]:
        """The structures of the children."""
        return self._children

    def children(self) -> list[TreeSpec]:
        """Return the structures of the children."""
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        """Return the structure of one child."""
        return self._children[index]

    def is_leaf(self) -> bool:
        """Whether this is the structure of a single leaf."""
        return self.type is None

    def unflatten(self, leaves: Iterable[Any]) -> PyTree:
        """Put leaves together. Raises ValueError when they are not as many as the structure holds."""
        given = list(leaves)
        if len(given) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(given)} but the spec refers to a pytree that"
                f" holds {self.num_leaves} items ({self})."
            )
        return self._built(iter(given))

    def _built(self, leaves: Iterator[Any]) -> PyTree:
        if self.type is None:
            return next(leaves)
        return SUPPORTED_NODES[self.type].unflatten_fn(
            [child._built(leaves) for child in self._children], self._context
        )

    def flatten_up_to(self, tree: PyTree) -> list[PyTree]:
        """Take another tree apart as far as this structure goes. Raises ValueError where the trees differ."""
        found: list[PyTree] = []
        self._collect(tree, found)
        return found

    def _collect(self, tree: PyTree, found: list[PyTree]) -> None:
        if self.type is None:
            found.append(tree)
            return
        kind = _get_node_type(tree)
        dicts = (dict, OrderedDict, defaultdict)
        if kind is not self.type and not (kind in dicts and self.type in dicts):
            raise ValueError(f"Node type mismatch; expected {self.type!r}, but got {kind!r}.")
        if kind in dicts:
            keys = self._context[1] if self.type is defaultdict else self._context
            if set(keys) != set(tree):
                parts = (("missing", set(keys).difference(tree)), ("extra", set(tree).difference(keys)))
                text = "; ".join(f"{name} key(s): {found}" for name, found in parts if found)
                raise ValueError(f"Node keys mismatch; {text}.")
            children = [tree[key] for key in keys]
        else:
            children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
            if len(children) != self.num_children:
                raise ValueError(f"Node arity mismatch; expected {self.num_children}, but got {len(children)}.")
            if kind is not deque and context != self._context:
                raise ValueError(f"Node context mismatch for custom node type {self.type!r}.")
        for spec, child in zip(self._children, children, strict=True):
            spec._collect(child, found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return (self.type, self._context, self._children) == (other.type, other._context, other._children)

    def __hash__(self) -> int:
        return hash((self.type, repr(self._context), tuple(self._children)))

    def __repr__(self, indent: int = 0) -> str:
        if self.type is None:
            return "*"
        inner = indent + 2
        parts = f",\n{' ' * inner}".join(child.__repr__(inner) for child in self._children)
        return f"TreeSpec({self.type.__name__}, {self._context}, [{parts}])"

    __str__ = __repr__


PyTreeSpec = TreeSpec
_LEAF = TreeSpec(None, None, [])


def LeafSpec() -> TreeSpec:
    """Return the structure of a single leaf.

    >>> torch.utils._pytree.LeafSpec()
    *
    """
    return _LEAF


def tree_is_leaf(tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether a tree is a single leaf, by its kind or because ``is_leaf`` says so.

    >>> torch.utils._pytree.tree_is_leaf(1), torch.utils._pytree.tree_is_leaf([])
    (True, False)
    """
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def _take_apart(tree: PyTree, leaves: list[Any], is_leaf: IsLeaf) -> TreeSpec:
    if tree_is_leaf(tree, is_leaf):
        leaves.append(tree)
        return _LEAF
    kind = _get_node_type(tree)
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    return TreeSpec(kind, context, [_take_apart(child, leaves, is_leaf) for child in children])


def tree_flatten(tree: PyTree, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """Return the leaves of a tree and its structure.

    >>> torch.utils._pytree.tree_flatten({"b": 1, "a": (2, None)})
    ([1, 2, None], TreeSpec(dict, ['b', 'a'], [*,
      TreeSpec(tuple, None, [*,
        *])]))
    """
    leaves: list[Any] = []
    spec = _take_apart(tree, leaves, is_leaf)
    return leaves, spec


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """Put leaves together again.

    >>> pytree = torch.utils._pytree
    >>> pytree.tree_unflatten([3, 4], pytree.tree_structure([1, (2,)]))
    [3, (4,)]
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but got item of type"
            f" {type(treespec)}."
        )
    return treespec.unflatten(leaves)


def tree_iter(tree: PyTree, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """Iterate over the leaves of a tree.

    >>> list(torch.utils._pytree.tree_iter([1, [2]]))
    [1, 2]
    """
    yield from tree_flatten(tree, is_leaf)[0]


def tree_leaves(tree: PyTree, is_leaf: IsLeaf = None) -> list[Any]:
    """Return the leaves of a tree.

    >>> torch.utils._pytree.tree_leaves([1, [2]])
    [1, 2]
    """
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: PyTree, is_leaf: IsLeaf = None) -> TreeSpec:
    """Return the structure of a tree.

    >>> torch.utils._pytree.tree_structure([1, 2])
    TreeSpec(list, None, [*,
      *])
    """
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """Apply a function to the leaves of a tree, or to those at the same places of several.

    >>> torch.utils._pytree.tree_map(lambda a, b: a + b, {"x": 1}, {"x": 10})
    {'x': 11}
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten(map(func, leaves, *(spec.flatten_up_to(rest) for rest in rests)))


def tree_map_(func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """Call a function for the leaves as `tree_map` does, and return the tree itself."""
    leaves, spec = tree_flatten(tree, is_leaf)
    for values in zip(leaves, *(spec.flatten_up_to(rest) for rest in rests), strict=True):
        func(*values)
    return tree


def _chooser(chosen: Any) -> Callable[[Any], bool]:
    if isinstance(chosen, type | tuple | types.UnionType):
        return lambda x: isinstance(x, chosen)
    if callable(chosen):
        return chosen
    raise TypeError("Argument must be a type, a tuple of types, or a callable.")


def map_only(chosen: Any, /) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Return a decorator that lets a function see only the values of some types, or those that a predicate takes."""
    takes = _chooser(chosen)

    def decorate(func: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @functools.wraps(func)
        def mapped(x: Any) -> Any:
            return func(x) if takes(x) else x

        return mapped

    return decorate


def tree_map_only(
    type_or_types_or_pred: Any, /, func: Callable[[Any], Any], tree: PyTree, is_leaf: IsLeaf = None
) -> PyTree:
    """Apply a function to the leaves of some types, or those that a predicate takes.

    >>> torch.utils._pytree.tree_map_only(int, lambda x: x + 1, [1, "a"])
    [2, 'a']
    """
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(
    type_or_types_or_pred: Any, /, func: Callable[[Any], Any], tree: PyTree, is_leaf: IsLeaf = None
) -> PyTree:
    """Call a function for the leaves of some types, and return the tree itself."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether a predicate holds for all leaves.

    >>> torch.utils._pytree.tree_all(lambda x: x > 0, [1, [2]])
    True
    """
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether a predicate holds for some leaf.

    >>> torch.utils._pytree.tree_any(lambda x: x > 1, [1, [2]])
    True
    """
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether a predicate holds for all leaves of some types.

    >>> torch.utils._pytree.tree_all_only(int, lambda x: x > 0, [1, "a"])
    True
    """
    return all(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(type_or_types: Any, /, pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf = None) -> bool:
    """Whether a predicate holds for some leaf of some types.

    >>> torch.utils._pytree.tree_any_only(int, lambda x: x > 1, [1, "a"])
    False
    """
    return any(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, type_or_types))


# With paths -----------------------------------------------------------------------------------------------------------


def _paths(tree: PyTree, path: KeyPath, is_leaf: IsLeaf) -> Iterator[tuple[KeyPath, Any]]:
    if tree_is_leaf(tree, is_leaf):
        yield path, tree
        return
    kind = SUPPORTED_NODES[_get_node_type(tree)]
    if kind.flatten_with_keys_fn is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {kind.type}. Please pass a flatten_with_keys_fn argument to"
            " register_pytree_node."
        )
    for key, child in kind.flatten_with_keys_fn(tree)[0]:
        yield from _paths(child, (*path, key), is_leaf)


def tree_leaves_with_path(tree: PyTree, is_leaf: IsLeaf = None) -> list[tuple[KeyPath, Any]]:
    """Return the leaves of a tree, each with the path to it.

    >>> torch.utils._pytree.tree_leaves_with_path([5])
    [((SequenceKey(idx=0),), 5)]
    """
    return list(_paths(tree, (), is_leaf))


def tree_flatten_with_path(tree: PyTree, is_leaf: IsLeaf = None) -> tuple[list[tuple[KeyPath, Any]], TreeSpec]:
    """Return the leaves with their paths, and the structure."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf = None) -> PyTree:
    """Apply ``func(path, leaf, ...)`` to the leaves.

    >>> pytree = torch.utils._pytree
    >>> pytree.tree_map_with_path(lambda path, x: pytree.keystr(path), {"a": 1})
    {'a': "['a']"}
    """
    found, spec = tree_flatten_with_path(tree, is_leaf)
    columns = zip(*found, strict=True) if found else ((), ())
    return spec.unflatten(map(func, *columns, *(spec.flatten_up_to(rest) for rest in rests)))


def _broadcast_to_and_flatten(tree: PyTree, treespec: TreeSpec, is_leaf: IsLeaf = None) -> list[Any] | None:
    """The leaves of a tree that is a prefix of a structure, each as often as the structure has leaves there."""
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    kind = _get_node_type(tree)
    if treespec.type is not kind:
        return None
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    found: list[Any] = []
    for child, spec in zip(children, treespec.children_specs, strict=True):
        part = _broadcast_to_and_flatten(child, spec, is_leaf)
        if part is None:
            return None
        found += part
    return found


# As text --------------------------------------------------------------------------------------------------------------

_PROTOCOL = 1


def _dumped(spec: TreeSpec) -> dict[str, Any]:
    if spec.is_leaf():
        return {"type": None, "context": None, "children_spec": []}
    kind = SUPPORTED_NODES[spec.type]
    if kind.serialized_type_name is None:
        raise NotImplementedError(f"No registered serialization name for {spec.type} found.")
    convert = kind.to_dumpable_context
    context = json.dumps(spec.context) if convert is None else json.dumps(convert(spec.context))
    return {
        "type": kind.serialized_type_name,
        "context": context,
        "children_spec": [_dumped(child) for child in spec.children_specs],
    }


def treespec_dumps(treespec: TreeSpec, protocol: int | None = None) -> str:
    """Return a structure as JSON text.

    >>> pytree = torch.utils._pytree
    >>> spec = pytree.tree_structure([1, {"a": 2}])
    >>> pytree.treespec_loads(pytree.treespec_dumps(spec)) == spec
    True
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            f"treespec_dumps(treespec): Expected `treespec` to be instance of TreeSpec but got {type(treespec)}."
        )
    if protocol not in (None, _PROTOCOL):
        raise ValueError(f"Unknown protocol {protocol}. Available protocols: {[_PROTOCOL]}")
    return json.dumps((_PROTOCOL, _dumped(treespec)))


def _loaded(record: dict[str, Any]) -> TreeSpec:
    if record["type"] is None:
        return _LEAF
    kinds = [kind for kind in SUPPORTED_NODES.values() if kind.serialized_type_name == record["type"]]
    if not kinds:
        raise NotImplementedError(f"Deserializing {record['type']} in PyTree is not registered.")
    (kind,) = kinds
    context = json.loads(record["context"])
    if kind.from_dumpable_context is not None:
        context = kind.from_dumpable_context(context)
    return TreeSpec(kind.type, context, [_loaded(child) for child in record["children_spec"]])


def treespec_loads(serialized: str) -> TreeSpec:
    """Return the structure that `treespec_dumps` wrote."""
    protocol, record = json.loads(serialized)
    if protocol != _PROTOCOL:
        raise ValueError(f"Unknown protocol {protocol}. Available protocols: {[_PROTOCOL]}")
    return _loaded(record)


def treespec_pprint(treespec: TreeSpec) -> str:
    """Return a structure as text with its containers as they look, leaves as stars.

    >>> pytree = torch.utils._pytree
    >>> pytree.treespec_pprint(pytree.tree_structure([1, (2,)]))
    '[*, (*,)]'
    """

    class Star:
        def __repr__(self) -> str:
            return "*"

    return repr(treespec.unflatten([Star()] * treespec.num_leaves))


_register_containers()
