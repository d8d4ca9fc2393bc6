"""All programs, by name."""

from __future__ import annotations

from transforms import programs_func

ALL: dict[str, str] = {}
for _family in (programs_func,):
    for _name, _source in _family.PROGRAMS.items():
        assert _name not in ALL, _name
        ALL[_name] = _source
