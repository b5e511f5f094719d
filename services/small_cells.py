"""Counts of few: what a viewer may be told of rows that lie outside their own (decision 9).

A count of fewer than ``smallest_cell`` things is withheld, and so is every other count from which it could be worked
out: a whole and its parts, and two versions of one count. A withheld count leaves no number behind: the answer holds a
text and a reason, so that no page, file, tooltip or spoken label can say more. Zero is told: that nobody is there
names nobody.

Each sum is protected for itself: whatever is shown, each withheld count of few may still be any of 1 to
``smallest`` - 1 (the protection interval of Willenborg and de Waal, *Elements of Statistical Disclosure Control*, 2001,
ch. 4). Where sums share parts, none is left that the others together would settle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from data.questions import Everything
from services import access
from services.access import Viewer
from services.sources import Sources

Withheld = Literal["few", "tells"]
NOT_SHOWN = "not shown"
UNCOUNTED = "cannot be counted now"


@dataclass(frozen=True)
class Told:
    """A count as a viewer may know it; ``value`` is None where it is withheld or not known, ``reason`` says why."""

    value: int | None
    text: str
    reason: str = ""

    @property
    def withheld(self) -> bool:
        """Is there a number that this viewer is not told?"""
        return self.value is None and bool(self.reason)


@dataclass(frozen=True)
class Rows:
    """The rows that somebody sees of a dataset, and all of them."""

    seen: Told
    total: Told


@dataclass(frozen=True)
class Balance:
    """Counts by name that add up to the same on both sides, such as a whole and its parts."""

    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every count of it."""
        return self.left + self.right


def whole(name: str, *parts: str) -> Balance:
    """A count that is the sum of others."""
    return Balance((name,), parts)


def crosses(viewer: Viewer, dataset: str) -> bool:
    """Would a count over all rows of a dataset, or over another person's, speak of rows that are not the viewer's?"""
    return not isinstance(access.rows(viewer, dataset), Everything)


def told(count: int, why: Withheld | None, smallest: int) -> Told:
    """A count in words: the number, "fewer than 5", or "not shown" where it would tell one of few."""
    if why == "few":
        return Told(None, f"fewer than {smallest}", f"Fewer than {smallest} are not counted out: they could be known.")
    if why == "tells":
        return Told(None, NOT_SHOWN, f"It would tell a count of fewer than {smallest}.")
    return Told(count, f"{count:,}")


def of_rows(viewer: Viewer, sources: Sources, dataset: str, total: int, *, seen: int | None, own: bool) -> Rows:
    """How many rows somebody sees of how many, as the viewer may know it.

    ``seen`` are the rows of the person spoken of, None where nobody can count them now; ``own``: it is the viewer.
    """
    smallest = sources.workspace.access.smallest_cell
    if not crosses(viewer, dataset):
        return Rows(unknown(UNCOUNTED) if seen is None else told(seen, None, smallest), told(total, None, smallest))
    counts = {"total": total} if seen is None else {"total": total, "seen": seen, "rest": total - seen}
    sums = () if seen is None else (whole("total", "seen", "rest"),)
    held = frozenset({"seen"} if own else ())
    found = withheld(counts, sums, smallest, own=held, silent=frozenset({"rest"}) & counts.keys())
    mine = unknown(UNCOUNTED) if seen is None else told(seen, found.get("seen"), smallest)
    return Rows(mine, told(total, found.get("total"), smallest))


def unknown(text: str) -> Told:
    """No number, and none that is withheld: "cannot be counted now"."""
    return Told(None, text)


def withheld(
    counts: Mapping[str, int],
    sums: Sequence[Balance],
    smallest: int,
    *,
    own: frozenset[str] = frozenset(),
    silent: frozenset[str] = frozenset(),
) -> dict[str, Withheld]:
    """Which counts are withheld, and why.

    ``own`` are counts of the viewer's own rows: they are shown whatever they are, and hide nothing. ``silent`` are
    counts that the page does not show but that others would tell, such as the rows that somebody does not see. The
    parts of a few are not told at all, not even that there are none: four parts of four would be one each.
    """
    few = frozenset(n for n, count in counts.items() if 0 < count < smallest and n not in own)
    inside = frozenset(n for one in sums for n in one.right if len(one.left) == 1 and one.left[0] in few) - own
    desk = _Desk(counts, tuple(sums), smallest, few, own)
    hidden = few | inside | silent
    while (more := desk.next(hidden)) is not None:
        hidden |= {more}
    return {n: "few" if n in few - inside else "tells" for n in hidden - silent}


def changed(before: int, after: int, *, gained: int, lost: int, smallest: int) -> dict[str, Told]:
    """The rows that somebody sees before and after a change of the policy, with those gained and lost."""
    counts = {"before": before, "after": after, "gained": gained, "lost": lost, "kept": before - lost}
    sums = (
        whole("before", "kept", "lost"),
        whole("after", "kept", "gained"),
        Balance(("before", "gained"), ("after", "lost")),
    )
    found = withheld(counts, sums, smallest, silent=frozenset({"kept"}))
    return {n: told(count, found.get(n), smallest) for n, count in counts.items() if n != "kept"}


def spaced(counts: Sequence[int], smallest: int) -> list[Withheld | None]:
    """Versions of one count, the newest first: one that lies closer than ``smallest`` to another that is shown would
    tell how few came or went.
    """
    shown: list[int] = []
    found: list[Withheld | None] = []
    for count in counts:
        few, close = 0 < count < smallest, any(0 < abs(count - other) < smallest for other in shown)
        found.append("few" if few else "tells" if close else None)
        if not few and not close:
            shown.append(count)
    return found


# ── what would tell ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Desk:
    """The counts with the sums between them, and which of them are of few."""

    counts: Mapping[str, int]
    sums: tuple[Balance, ...]
    smallest: int
    few: frozenset[str]
    own: frozenset[str]

    def next(self, hidden: frozenset[str]) -> str | None:
        """One more count to withhold; None where what is shown tells no count of few, or nothing more can be hidden."""
        for one in self.sums:
            if any(not self._free(one, name, hidden) for name in self.few & set(one.names)):
                more = self._best(one.right, hidden) or self._largest(one.left, hidden)
                more = more or self._largest(one.right, hidden)
                if more is not None:
                    return more
        if self.few & _settled(self.sums, hidden):
            names = tuple(n for one in self.sums for n in one.names)
            return self._best(names, hidden) or self._largest(names, hidden)
        return None

    def _best(self, names: Sequence[str], hidden: frozenset[str]) -> str | None:
        """The smallest count that leaves a count of few its whole range by itself. Zero is never withheld."""
        enough = [n for n in names if n not in hidden | self.own and self.counts[n] >= 2 * self.smallest - 2]
        return min(enough, key=lambda n: self.counts[n], default=None)

    def _largest(self, names: Sequence[str], hidden: frozenset[str]) -> str | None:
        left = [n for n in names if n not in hidden | self.own and self.counts[n] >= self.smallest]
        return max(left, key=lambda n: self.counts[n], default=None)

    def _free(self, one: Balance, name: str, hidden: frozenset[str]) -> bool:
        """May a count of few still be any of 1 to ``smallest`` - 1, by what this sum shows?"""
        others = [n for n in one.names if n in hidden and n != name]
        beside = [n for n in others if (n in one.left) == (name in one.left)]
        across = [n for n in others if n not in beside]
        rise = sum(self._fall(n) for n in beside) + sum(self._rise(n) for n in across)
        fall = sum(self._rise(n) for n in beside) + sum(self._fall(n) for n in across)
        return rise >= self.smallest - 1 - self.counts[name] and fall >= self.counts[name] - 1

    def _fall(self, name: str) -> int:
        return self.counts[name] - 1 if name in self.few else max(0, self.counts[name] - self.smallest)

    def _rise(self, name: str) -> int:
        return self.smallest - 1 - self.counts[name] if name in self.few else 1 << 62


def _settled(sums: Sequence[Balance], hidden: frozenset[str]) -> set[str]:
    """The hidden counts that the sums and everything shown settle together: unknowns with a single solution."""
    names = sorted(hidden & {n for one in sums for n in one.names})
    rows = [[Fraction((n in one.right) - (n in one.left)) for n in names] for one in sums]
    settled, top = set(), 0
    for column in range(len(names)):
        at = next((r for r in range(top, len(rows)) if rows[r][column]), None)
        if at is None:
            continue
        rows[top], rows[at] = rows[at], rows[top]
        rows[top] = [v / rows[top][column] for v in rows[top]]
        for other in range(len(rows)):
            if other != top and rows[other][column]:
                rows[other] = [a - rows[other][column] * b for a, b in zip(rows[other], rows[top], strict=True)]
        top += 1
    for row in rows[:top]:
        held = [n for n, v in zip(names, row, strict=True) if v]
        settled |= set(held) if len(held) == 1 else set()
    return settled


def reasons(counts: Sequence[Told]) -> str:
    """Why counts are withheld, each reason once, for the foot of a table."""
    return " ".join(dict.fromkeys(c.reason for c in counts if c.withheld))
