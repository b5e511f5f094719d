"""The four ways to look at who sees what: by role, by person, on a day, and with a change that is only tried."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from components import page as parts

ROLES, PEOPLE, DAY, TRY = "/admin/access", "/admin/access?person", "/admin/access/day", "/admin/access/try"


def links(current: str, person: int = 0) -> Any:
    """Links to all four, the current one marked. ``person`` is the one spoken of, 0 where there is none."""
    one = "?" + urlencode({"person": person})
    said = [
        ("By role", ROLES, current == ROLES),
        ("By person", ROLES + one, current == PEOPLE),
        ("On a day", DAY + one if person else DAY, current == DAY),
        ("Try a change", TRY, current == TRY),
    ]
    return parts.choices("View", [(label, href, on) for label, href, on in said if person or label != "By person"])
