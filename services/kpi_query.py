"""What the overview is asked: period, comparison, metric, dimension, chosen members. The address is the question.

``/kpis?period=week&against=year&metric=baskets&by=territory&only=department:GROCERY,DELI;brand:Private``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, get_args
from urllib.parse import quote, unquote, urlencode

from data.periods import Comparison, Period, PeriodUnit, custom_period, period_of
from services import parameters, wording
from services.errors import InvalidQuery

PATH = "/kpis"
UNITS: tuple[PeriodUnit, ...] = get_args(PeriodUnit)
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)
NEXT_STEP = "Open the overview again from the top bar."
LONGEST = 2_000
MOST_CHOSEN = 50

Chosen = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class KpiQuery:
    """One view of the overview. Empty fields mean the workspace's first metric, first dimension and newest period.

    ``on`` is a day inside the period; ``first`` and ``last`` bound a custom one; ``as_of`` looks as if the data
    ended on that day. ``chosen`` holds members as text, in the order they were chosen; "" is the member without a name.
    """

    period: PeriodUnit = "month"
    on: date | None = None
    first: date | None = None
    last: date | None = None
    against: Comparison = "previous"
    metric: str = ""
    by: str = ""
    chosen: Chosen = ()
    as_of: date | None = None

    @classmethod
    def from_url(cls, params: Mapping[str, Any]) -> KpiQuery:
        """Read an address. Raises ``InvalidQuery`` naming the parameter that is wrong; unknown ones are ignored."""
        unit = _one_of(params, "period", UNITS, "month")
        first, last = _day(params, "from"), _day(params, "to")
        if unit == "custom" and (first is None or last is None):
            raise InvalidQuery("A custom period needs its first and last day.", next_step="Choose both days.")
        custom = unit == "custom"
        return cls(
            period=unit,  # type: ignore[arg-type]
            on=None if custom else _day(params, "on"),
            first=first if custom else None,
            last=last if custom else None,
            against=_one_of(params, "against", COMPARISONS, "previous"),  # type: ignore[arg-type]
            metric=_text(params, "metric"),
            by=_text(params, "by"),
            chosen=_chosen(_text(params, "only")),
            as_of=_day(params, "as_of"),
        )

    def to_url(self) -> str:
        """The address of this view; what is usual is left out."""
        said = {
            "period": self.period if self.period != "month" else "",
            "on": self.on.isoformat() if self.on else "",
            "from": self.first.isoformat() if self.first else "",
            "to": self.last.isoformat() if self.last else "",
            "against": self.against if self.against != "previous" else "",
            "metric": self.metric,
            "by": self.by,
            "only": ";".join(f"{d}:{','.join(map(_escaped, ms))}" for d, ms in self.chosen),
            "as_of": self.as_of.isoformat() if self.as_of else "",
        }
        query = urlencode({k: v for k, v in said.items() if v}, safe=":,;/", quote_via=quote)
        return f"{PATH}?{query}" if query else PATH

    def toggled(self, dimension: str, member: str) -> KpiQuery:
        """The same view with a member added to the filter, or taken out if it is in it."""
        held = dict(self.chosen)
        mine = held.get(dimension, ())
        held[dimension] = tuple(m for m in mine if m != member) if member in mine else (*mine, member)
        return replace(self, chosen=tuple((d, ms) for d, ms in held.items() if ms))

    def resolved(self, through: date) -> Period:
        """The period asked for, as far as it has happened. Raises ``InvalidQuery``."""
        try:
            if self.period == "custom" and self.first and self.last:
                return custom_period(self.first, self.last, through)
            return period_of(self.period, self.on or through, through)
        except ValueError as mistake:
            raise InvalidQuery(str(mistake), next_step="Choose another period.") from None


def _text(params: Mapping[str, Any], name: str) -> str:
    return parameters.text(params, name, longest=LONGEST, next_step=NEXT_STEP)


def _day(params: Mapping[str, Any], name: str) -> date | None:
    return parameters.day(_text(params, name), name)


def _one_of(params: Mapping[str, Any], name: str, allowed: tuple[str, ...], usual: str) -> str:
    said = _text(params, name) or usual
    if said not in allowed:
        raise InvalidQuery(f"{name} must be {wording.listed(allowed, 'or')}, got {said[:40]!r}.", next_step=NEXT_STEP)
    return said


def _escaped(member: str) -> str:
    """Our own separators inside a member, so that the address stays readable otherwise."""
    return "".join(quote(c, safe="") if c in "%,;:" else c for c in member)


def _chosen(said: str) -> Chosen:
    if not said:
        return ()
    found: dict[str, tuple[str, ...]] = {}
    for part in said.split(";"):
        dimension, colon, members = part.partition(":")
        if not colon or not dimension:
            raise InvalidQuery("The filter in this address cannot be read.", next_step="Reset the filters.")
        found[dimension] = tuple(dict.fromkeys(unquote(m) for m in members.split(",")))
    if sum(len(m) for m in found.values()) > MOST_CHOSEN:
        raise InvalidQuery(f"A filter must name at most {MOST_CHOSEN} values.", next_step="Reset the filters.")
    return tuple(found.items())
