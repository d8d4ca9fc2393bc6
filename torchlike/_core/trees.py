"""Nested tuples, lists and dictionaries taken apart and put together, as ``torch.func`` sees them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from typing import Any


class Spec:
    """The shape of a nested structure, without its leaves."""

    __slots__ = ("children", "context", "count", "kind")

    def __init__(self, kind: Any, context: Any, children: Sequence[Spec]) -> None:
        self.kind = kind
        self.context = context
        self.children = tuple(children)
        self.count: int = 1 if kind is None else sum(c.count for c in children)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and (self.kind, self.context, self.children) == (
            other.kind,
            other.context,
            other.children,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return self.text(0)

    def text(self, indent: int) -> str:
        """The structure as PyTorch's messages show it."""
        if self.kind is None:
            return "*"
        indent += 2
        inner = f",\n{' ' * indent}".join(c.text(indent) for c in self.children)
        return f"TreeSpec({self.kind.__name__}, {self.context}, [{inner}])"

    def short(self) -> str:
        """The structure with stars for leaves, as PyTorch shows it in a few messages."""
        return str(unflatten([_Star()] * self.count, self))


class _Star:
    def __repr__(self) -> str:
        return "*"


_LEAF = Spec(None, None, ())


def _taken_apart(tree: Any) -> tuple[Any, Any, Sequence[Any]] | None:
    kind = type(tree)
    if kind is tuple or kind is list:
        return kind, None, tree
    if kind is dict or kind is OrderedDict:
        return kind, list(tree), list(tree.values())
    if kind is defaultdict:
        return kind, [tree.default_factory, list(tree)], list(tree.values())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return kind, kind, tree
    return None


def flatten(tree: Any) -> tuple[list[Any], Spec]:
    """The leaves of a structure from left to right, and the structure."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Spec:
    parts = _taken_apart(tree)
    if parts is None:
        leaves.append(tree)
        return _LEAF
    kind, context, children = parts
    return Spec(kind, context, [_flatten(child, leaves) for child in children])


def unflatten(leaves: Sequence[Any], spec: Spec) -> Any:
    """Put leaves into a structure."""
    return _unflatten(iter(leaves), spec)


def _unflatten(leaves: Any, spec: Spec) -> Any:
    if spec.kind is None:
        return next(leaves)
    children = [_unflatten(leaves, c) for c in spec.children]
    kind = spec.kind
    if kind is tuple or kind is list:
        return kind(children)
    if kind is dict or kind is OrderedDict:
        return kind(zip(spec.context, children, strict=True))
    if kind is defaultdict:
        return defaultdict(spec.context[0], zip(spec.context[1], children, strict=True))
    return kind(*children)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """The structure with ``function`` applied to each leaf."""
    leaves, spec = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], spec)


def broadcast(prefix: Any, spec: Spec) -> list[Any] | None:
    """One leaf of ``prefix`` for each leaf of a structure; a leaf stands for all below it. None if they do not fit."""
    parts = _taken_apart(prefix)
    if parts is None:
        return [prefix] * spec.count
    kind, context, children = parts
    if spec.kind is not kind or spec.context != context or len(children) != len(spec.children):
        return None
    found: list[Any] = []
    for child, below in zip(children, spec.children, strict=True):
        part = broadcast(child, below)
        if part is None:
            return None
        found.extend(part)
    return found
