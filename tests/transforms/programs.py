"""All programs, by name: in the files beside this one, each under a title, after lines that they share."""

from __future__ import annotations

from pathlib import Path

ALL: dict[str, str] = {}
for _path in sorted(Path(__file__).parent.glob("*.txt")):
    _shared, *_parts = _path.read_text().split("\n## ")
    for _part in _parts:
        _name, _, _source = _part.partition("\n")
        assert _name not in ALL, _name
        ALL[_name] = f"{_shared}\n{_source}"
