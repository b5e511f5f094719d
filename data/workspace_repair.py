"""What is left of a file with mistakes of shape, so that its other parts can be compared with the other files.

Each mistake's part is taken out, and what is named in it counts as known: nothing is called unknown because it stands
in a part that could not be read.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from data.definitions import Definition

MOST_PARTS = 100


@dataclass(frozen=True)
class Left:
    """What could be read of a file, the keys of what was taken out, and every word in it."""

    parsed: Definition | None
    keys: tuple[str, ...] = ()
    words: frozenset[str] = field(default_factory=frozenset)

    def touches(self, key: str) -> bool:
        """Does a key lie in, or hold, a part that was taken out?"""
        return any(f"{key}.".startswith(f"{cut}.") or f"{cut}.".startswith(f"{key}.") for cut in self.keys)


def readable(said: Any, kind: type[Definition]) -> Left:
    """Take out what is wrong, part by part; ``parsed`` is None where nothing whole is left."""
    said = copy.deepcopy(said)
    keys: list[str] = []
    words: set[str] = set()
    for _ in range(MOST_PARTS):
        try:
            return Left(kind.model_validate(said), tuple(keys), frozenset(words))
        except ValidationError as problem:
            path = _part(said, problem.errors()[0])
        if not path:
            break
        *above, last = path
        words |= {str(last)} | _words(_at(said, above).pop(last))
        keys.append(".".join(map(str, path)))
    return Left(None, tuple(keys), frozenset(words))


def _part(said: Any, error: Any) -> list[Any]:
    """The innermost named part that holds a mistake; an item of a list is wrong with its whole list."""
    path: list[Any] = []
    for place in error["loc"]:
        if not isinstance(said, dict) or place not in said:
            break
        path.append(place)
        said = said[place]
    return path


def _at(said: Any, path: list[str]) -> Any:
    for place in path:
        said = said[place]
    return said


def _words(said: Any) -> set[str]:
    if isinstance(said, dict):
        return {str(k) for k in said} | {w for v in said.values() for w in _words(v)}
    if isinstance(said, list):
        return {w for v in said for w in _words(v)}
    return {said} if isinstance(said, str) else set()
