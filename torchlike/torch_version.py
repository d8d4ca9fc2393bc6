"""A version that is a string to look at and a version to compare, as ``torch.__version__`` is."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["TorchVersion"]

_PUBLIC = re.compile(
    r"""\s* v? (?:(?P<epoch>\d+)!)? (?P<release>\d+(?:\.\d+)*)
    (?: [-_.]? (?P<pre>alpha|a|beta|b|preview|pre|c|rc) [-_.]? (?P<pre_n>\d*) )?
    (?P<post> -(?P<post_n1>\d+) | [-_.]? (?:post|rev|r) [-_.]? (?P<post_n2>\d*) )?
    (?P<dev> [-_.]? dev [-_.]? (?P<dev_n>\d*) )?
    (?: \+ (?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*) )? \s*""",
    re.VERBOSE | re.IGNORECASE,
)
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_FIRST, _LAST = (-1,), (1,)


class _NotAVersionError(ValueError):
    """The text follows no version scheme; comparisons then fall back to that of strings."""


def _key(text: str) -> tuple[Any, ...]:
    """The order of PEP 440: development releases, pre-releases, the release, post-releases; local versions last."""
    match = _PUBLIC.fullmatch(text)
    if match is None:
        raise _NotAVersionError(text)
    release = [int(part) for part in match["release"].split(".")]
    while release and release[-1] == 0:
        release.pop()
    dev = (0, int(match["dev_n"] or 0)) if match["dev"] else _LAST
    post = (0, int(match["post_n1"] or match["post_n2"] or 0)) if match["post"] else _FIRST
    pre: tuple[Any, ...]
    if match["pre"]:
        name = match["pre"].lower()
        pre = (0, _PRE.get(name, name), int(match["pre_n"] or 0))
    else:
        pre = _FIRST if match["dev"] and not match["post"] else _LAST
    parts = re.split(r"[-_.]", match["local"].lower()) if match["local"] else []
    local = tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts)
    return int(match["epoch"] or 0), tuple(release), pre, post, dev, bool(parts), local


def _text(other: object) -> str | None:
    """The version that ``other`` spells: a string, a sequence such as ``(2, 13)``, a ``packaging`` version."""
    if isinstance(other, str):
        return other
    if isinstance(other, Iterable):
        return ".".join(str(part) for part in other)
    if hasattr(other, "release"):  # packaging's Version
        return str(other)
    return None


class TorchVersion(str):
    """A string that compares as a version, with strings, tuples and ``packaging`` versions.

    >>> torch.torch_version.TorchVersion("2.13.0") >= (2, 9)
    True
    >>> torch.torch_version.TorchVersion("2.13.0") > "2.9"
    True
    """

    __slots__ = ()

    def _compare(self, other: object, holds: Callable[[Any, Any], bool]) -> Any:
        text = _text(other)
        if text is None:
            return NotImplemented
        try:
            return holds(_key(self), _key(text))
        except _NotAVersionError:
            return holds(str(self), text)

    def __lt__(self, other: object) -> Any:
        return self._compare(other, operator.lt)

    def __le__(self, other: object) -> Any:
        return self._compare(other, operator.le)

    def __gt__(self, other: object) -> Any:
        return self._compare(other, operator.gt)

    def __ge__(self, other: object) -> Any:
        return self._compare(other, operator.ge)

    def __eq__(self, other: object) -> Any:
        return self._compare(other, operator.eq)

    # PyTorch leaves != and the hash to the string, so 2.13 != 2.13.0 although they are equal; so does this.
    __ne__ = str.__ne__
    __hash__ = str.__hash__
