"""Reading the code of documents, and running it."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests" / "recorded"

_BLOCK = re.compile(r"^```(?P<language>[\w-]*)[^\n]*\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(?P<title>.+?) *$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a Markdown page: the heading it stands under, its language, its line, its text."""

    title: str
    language: str
    line: int
    code: str


def blocks(path: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in the given languages (all of them when none is given)."""
    text = path.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        if not languages or match["language"] in languages:
            titles = _HEADING.findall(text, 0, match.start())
            line = text.count("\n", 0, match.start()) + 2
            found.append(Block(titles[-1] if titles else "", match["language"], line, match["code"]))
    return found


def run(code: str, namespace: dict[str, Any], filename: str = "<document>") -> str:
    """Execute code in a namespace and return what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, filename, "exec"), namespace)
    return printed.getvalue()
