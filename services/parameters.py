"""What an address or a control said, read one value at a time. Everything else than a short text is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.errors import InvalidQuery


def text(params: Mapping[str, Any], name: str, *, longest: int, next_step: str = "") -> str:
    """The text under a name, "" if there is none. Raises ``InvalidQuery`` for a list, a long text or a null byte."""
    said = params.get(name)
    if said is None:
        return ""
    if not isinstance(said, str) or len(said) > longest or "\x00" in said:
        raise InvalidQuery(
            f"{name} must be given once, as a text of at most {longest} characters.", next_step=next_step
        )
    return said


def day(said: str, what: str) -> date | None:
    """A calendar day from 1900 to 2200 in ISO 8601, nothing for "". Raises ``InvalidQuery``."""
    if not said:
        return None
    try:
        found = date.fromisoformat(said[:10])
    except ValueError:
        found = None
    if found is None or not 1900 <= found.year <= 2200:
        raise InvalidQuery(f"{what} must be a day such as 2017-12-31, got {said[:40]!r}.", next_step="Choose a day.")
    return found


def days(args: Mapping[str, str]) -> tuple[date | None, date | None]:
    """First and last day of an address (``from``, ``to``), None where it names none. Raises ``InvalidQuery``."""
    first, last = day(args.get("from", ""), "The first day"), day(args.get("to", ""), "The last day")
    if first and last and last < first:
        raise InvalidQuery("The last day must not come before the first.", next_step="Turn the two days round.")
    return first, last
