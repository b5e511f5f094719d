"""What a person asks of a lead list, as the address says it, and the filters that follow from it.

``LeadQuery`` is the state of the page: a colleague who opens the same address asks the same question, in their own
scope. Columns are allow-listed by ``LeadColumn``; a masked column is in no list, so it can be neither shown, filtered
nor sorted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import quote, unquote, urlencode

from data.definitions import ModelUse, Scalar
from data.questions import And, Compare, Filter, Or, Order
from services import parameters
from services.errors import InvalidQuery, NotFound

MAX_BLOCK = 500
MAX_SEARCH = 100
MAX_SORTS = 5
MAX_CONDITIONS = 10
MAX_FILTERS = 4_000
LARGEST = 1e300
RESET = "Reset the filters."
_NUMBER_TESTS = {
    "equals": "eq",
    "notEqual": "ne",
    "lessThan": "lt",
    "lessThanOrEqual": "le",
    "greaterThan": "gt",
    "greaterThanOrEqual": "ge",
}
_TEXT_TESTS = {"contains": "contains", "startsWith": "starts_with", "equals": "eq", "notEqual": "ne"}
_DAY_TESTS = {"equals": "eq", "notEqual": "ne", "lessThan": "lt", "greaterThan": "gt"}
_BLANK_TESTS = {"blank": "is_null", "notBlank": "not_null"}

Kind = Literal["text", "number", "probability", "identifier", "date", "other"]


@dataclass(frozen=True)
class LeadColumn:
    """A column of the list that this viewer may see: its field in ``scores_<model>``, its label and its kind.

    An ``identifier`` is a whole number that names something and is never formatted; ``other`` can be sorted only.
    """

    field: str
    label: str
    kind: Kind
    unit: str | None = None
    role: Literal["name", "place", "score", "band", "value", "contact", "other"] = "other"

    @property
    def scale(self) -> float:
        """What a number typed into the filter is multiplied with: shares are shown and typed in percent."""
        return 0.01 if self.kind == "probability" or self.unit == "percent" else 1.0


@dataclass(frozen=True)
class LeadQuery:
    """The state of a lead list. ``list`` is a model's name, ``of`` the value that picks one of its lists."""

    list: str | None = None
    of: str | None = None
    bands: tuple[str, ...] = ()
    search: str = ""
    sort: tuple[Order, ...] = ()
    filters: Mapping[str, Any] | None = None

    @classmethod
    def from_url(cls, params: Mapping[str, Any]) -> LeadQuery:
        """Parse the address; an unreadable part is an ``InvalidQuery`` that names it."""
        return cls(
            list=_text(params, "list") or None,
            of=_text(params, "of") or None,
            bands=tuple(dict.fromkeys(b for b in _text(params, "band").split(",") if b)),
            search=_text(params, "q"),
            sort=_sorts(tuple(_order(s) for s in _text(params, "sort").split(",") if s)),
            filters=_filters(params.get("f")),
        )

    def to_url(self) -> str:
        """The query string for this state, without the parts that are at their default."""
        said = {
            "list": self.list or "",
            "of": self.of or "",
            "band": ",".join(self.bands),
            "q": self.search,
            "sort": ",".join(("-" if o.descending else "") + o.column for o in self.sort),
            "f": json.dumps(self.filters, separators=(",", ":"), sort_keys=True) if self.filters else "",
        }
        return urlencode({k: v for k, v in said.items() if v})

    def with_grid(self, request: Mapping[str, Any]) -> LeadQuery:
        """The same list with the sorting and the filters that the grid asks for."""
        asked, filters = request.get("sortModel") or [], request.get("filterModel") or None
        if not isinstance(asked, list) or not all(isinstance(s, Mapping) for s in asked):
            raise InvalidQuery("The grid's sorting must be a list of columns.", next_step="Reset the sorting.")
        if filters is not None and not isinstance(filters, Mapping):
            raise InvalidQuery("The grid's filter must be an object.", next_step=RESET)
        if filters is not None and len(json.dumps(filters)) > MAX_FILTERS:
            raise InvalidQuery("The filters are too long.", next_step=RESET)
        sort = _sorts(tuple(Order(str(s.get("colId"))[:MAX_SEARCH], s.get("sort") == "desc") for s in asked))
        return replace(self, sort=sort, filters=filters)

    @property
    def narrows(self) -> bool:
        """Does it ask for less than the whole list?"""
        return bool(self.bands or self.search.strip() or self.filters)


def window(request: Mapping[str, Any]) -> tuple[int, int]:
    """The rows a grid asks for, as (first, count). At most 500 rows a block."""
    start, end = request.get("startRow"), request.get("endRow")
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= 10**9:
        said = f"{str(start)[:20]} to {str(end)[:20]}"
        raise InvalidQuery(f"Rows must be asked for by whole numbers from 0, got {said}.", next_step=RESET)
    return start, min(end - start, MAX_BLOCK)


def key_text(model: ModelUse, row: Mapping[str, Any]) -> str:
    """A row's key as one part of an address: the key columns joined by "~", which is escaped inside of them."""
    return "~".join(quote(str(row[column]), safe="").replace("~", "%7E") for column in model.scored.key)


def key_filter(model: ModelUse, text: str, kinds: Mapping[str, str]) -> Filter:
    """The row that an address names; anything that cannot be a key is simply not there."""
    parts = [unquote(p) for p in text.split("~")]
    if len(parts) != len(model.scored.key):
        raise NotFound("There is no such lead in your list.", next_step="Go back to your list.")
    return equal_to(model.scored.key, parts, kinds)


def equal_to(columns: Sequence[str], parts: Sequence[str], kinds: Mapping[str, str]) -> Filter:
    """The rows whose columns have these values, said as texts; ``NotFound`` where one is not of its column's type."""
    pairs = zip(columns, parts, strict=True)
    return And(tuple(Compare(column, "eq", typed(part, kinds.get(column, "string"))) for column, part in pairs))


def typed(text: str, kind: str) -> Scalar:
    """A value of an address as the column's type (Arrow's word for it); ``NotFound`` where it cannot be one."""
    try:
        if kind.startswith(("int", "uint")):
            return _whole(text)
        if kind in ("double", "float"):
            return float(text)
        if kind == "bool":
            return {"True": True, "False": False}[text]
        if kind.startswith("date"):
            return date.fromisoformat(text)
        if kind.startswith("timestamp"):
            return datetime.fromisoformat(text)
    except (ValueError, KeyError):
        raise NotFound("There is no such lead in your list.", next_step="Go back to your list.") from None
    return text


def asked_filter(query: LeadQuery, columns: tuple[LeadColumn, ...], bands: tuple[str, ...]) -> tuple[Filter, ...]:
    """The viewer's own filters as predicates; only over columns in ``columns``."""
    parts = [*_band_filter(query, bands), *_search_filter(query, columns)]
    by_field = {c.field: c for c in columns}
    for field, said in (query.filters or {}).items():
        if field not in by_field:
            raise InvalidQuery(f"There is no column {str(field)[:40]!r} to filter by.", next_step=RESET)
        parts.append(_column_filter(by_field[field], said))
    return tuple(parts)


def asked_order(query: LeadQuery, columns: tuple[LeadColumn, ...]) -> tuple[Order, ...]:
    """The ordering with the published order as tie-break; columns outside ``columns`` are refused."""
    allowed = {c.field for c in columns} | {"rank"}
    for order in query.sort:
        if order.column not in allowed:
            raise InvalidQuery(f"There is no column {order.column[:40]!r} to sort by.", next_step="Reset the sorting.")
    ordered = tuple(Order("row_id", o.descending) if o.column == "rank" else o for o in query.sort)
    return ordered if any(o.column == "row_id" for o in ordered) else (*ordered, Order("row_id"))


def _band_filter(query: LeadQuery, bands: tuple[str, ...]) -> tuple[Filter, ...]:
    for band in query.bands:
        if band not in bands:
            raise InvalidQuery(f"A band must be one of {', '.join(bands)}, got {band[:20]}.", next_step=RESET)
    return (Compare("band", "in", tuple(query.bands)),) if query.bands else ()


def _search_filter(query: LeadQuery, columns: tuple[LeadColumn, ...]) -> tuple[Filter, ...]:
    said = query.search.strip()
    if not said:
        return ()
    texts = [Compare(c.field, "contains", said) for c in columns if c.kind == "text" and c.role != "band"]
    named = [c.field for c in columns if c.kind == "identifier"] if said.isascii() and said.isdigit() else []
    return (Or((*texts, *(Compare(field, "eq", int(said)) for field in named if int(said) < 2**63))),)


def _column_filter(column: LeadColumn, said: Any) -> Filter:
    if not isinstance(said, Mapping):
        raise InvalidQuery(f"The filter of {column.label} cannot be read.", next_step=RESET)
    conditions = said.get("conditions")
    if conditions is None:
        return _condition(column, said)
    if not isinstance(conditions, list) or not 1 <= len(conditions) <= MAX_CONDITIONS:
        raise InvalidQuery(f"The filter of {column.label} must have 1 to {MAX_CONDITIONS} conditions.", next_step=RESET)
    parts = tuple(_condition(column, c if isinstance(c, Mapping) else {}) for c in conditions)
    return Or(parts) if said.get("operator") == "OR" else And(parts)


def _condition(column: LeadColumn, said: Mapping[str, Any]) -> Filter:
    test = said.get("type")
    if not isinstance(test, str):
        raise InvalidQuery(f"The filter of {column.label} cannot be read.", next_step=RESET)
    if test in _BLANK_TESTS and column.kind != "other":
        return Compare(column.field, "is_null" if test == "blank" else "not_null")
    match column.kind:
        case "text":
            return _text_condition(column, test, said.get("filter"))
        case "date":
            return _day_condition(column, test, said)
        case "other":
            raise InvalidQuery(f"{column.label} cannot be filtered.", next_step=RESET)
        case _:
            return _number_condition(column, test, said)


def _text_condition(column: LeadColumn, test: str, text: Any) -> Filter:
    if test not in _TEXT_TESTS or not isinstance(text, str) or not 1 <= len(text) <= MAX_SEARCH:
        raise InvalidQuery(f"The filter of {column.label} must be a short text.", next_step=RESET)
    return Compare(column.field, _TEXT_TESTS[test], text)  # type: ignore[arg-type]


def _number_condition(column: LeadColumn, test: str, said: Mapping[str, Any]) -> Filter:
    if test == "inRange":
        low, high = _number(said.get("filter"), column), _number(said.get("filterTo"), column)
        return And((Compare(column.field, "ge", low), Compare(column.field, "le", high)))
    if test not in _NUMBER_TESTS:
        raise InvalidQuery(f"The filter of {column.label} must compare with a number.", next_step=RESET)
    return Compare(column.field, _NUMBER_TESTS[test], _number(said.get("filter"), column))  # type: ignore[arg-type]


def _day_condition(column: LeadColumn, test: str, said: Mapping[str, Any]) -> Filter:
    first = _day_of(said.get("dateFrom"), column)
    if test == "inRange":
        return And(
            (Compare(column.field, "ge", first), Compare(column.field, "le", _day_of(said.get("dateTo"), column)))
        )
    if test not in _DAY_TESTS:
        raise InvalidQuery(f"The filter of {column.label} must compare with a day.", next_step=RESET)
    return Compare(column.field, _DAY_TESTS[test], first)  # type: ignore[arg-type]


def _number(said: Any, column: LeadColumn) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not abs(said) <= LARGEST:
        raise InvalidQuery(f"The filter of {column.label} must be a number, got {str(said)[:40]}.", next_step=RESET)
    return float(said) * column.scale


def _day_of(said: Any, column: LeadColumn) -> date:
    try:
        return date.fromisoformat(str(said)[:10])
    except ValueError:
        raise InvalidQuery(
            f"The filter of {column.label} must be a day, got {str(said)[:40]}.", next_step=RESET
        ) from None


def _whole(text: str) -> int:
    number = int(text)
    if str(number) != text or abs(number) >= 2**63:
        raise ValueError(text)
    return number


def _text(params: Mapping[str, Any], name: str) -> str:
    return parameters.text(params, name, longest=MAX_SEARCH, next_step=RESET)


def _order(text: str) -> Order:
    return Order(text.removeprefix("-"), text.startswith("-"))


def _sorts(asked: tuple[Order, ...]) -> tuple[Order, ...]:
    """At most five columns; of a column named twice the first counts."""
    if len(asked) > MAX_SORTS:
        raise InvalidQuery(f"Rows can be sorted by at most {MAX_SORTS} columns.", next_step="Reset the sorting.")
    first: dict[str, Order] = {}
    for order in asked:
        first.setdefault(order.column, order)
    return tuple(first.values())


def _filters(said: Any) -> Mapping[str, Any] | None:
    if not said:
        return None
    try:
        read = json.loads(said) if isinstance(said, str) and len(said) <= MAX_FILTERS else None
        json.dumps(read, ensure_ascii=False).encode()  # half a character can be said in JSON, and written nowhere
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise InvalidQuery("The filters in this address cannot be read.", next_step=RESET)
    return read or None
