"""Forms: labelled fields with their sentence beside them, buttons, and the one place where a password is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

MANY = 8
Id = str | Mapping[str, str]


def text(
    id: Id,
    label: str,
    *,
    value: str = "",
    error: str = "",
    hint: str = "",
    debounce: int | bool = False,
    disabled: bool = False,
) -> Component:
    """A line of text. ``error`` is the sentence that stands under it."""
    return dmc.TextInput(
        id=_id(id), label=label, value=value, error=error or None, description=hint or None, debounce=debounce,
        disabled=disabled, autoComplete="off", className="ll-field",
    )  # fmt: skip


def long_text(id: Id, label: str, *, value: str = "", name: str = "", hint: str = "") -> Component:
    """A text of many lines, such as a file, in letters of one width. ``name`` is its name in a posted form."""
    return dmc.Textarea(
        id=_id(id), label=label, value=value, name=name or None, description=hint or None, autosize=True, minRows=8,
        maxRows=28, spellCheck=False, className="ll-field ll-long-text",
    )  # fmt: skip


def password(id: Id, label: str, *, error: str = "", hint: str = "", fresh: bool = False) -> Component:
    """A password. It is never filled in by the server; ``fresh`` marks a new one for password keepers."""
    return dmc.PasswordInput(
        id=_id(id), label=label, value="", error=error or None, description=hint or None,
        autoComplete="new-password" if fresh else "current-password", className="ll-field",
        visibilityToggleButtonProps={"aria-label": "Show or hide what is typed", "tabIndex": 0},
    )  # fmt: skip


def choice(
    id: Id,
    label: str,
    options: Sequence[tuple[str, str]],
    *,
    value: str = "",
    error: str = "",
    hint: str = "",
    empty: str = "",
    needed: bool = False,
    disabled: bool = False,
) -> Component:
    """One of several: (value, label). ``empty`` is how nothing chosen reads; ``needed`` forbids to go back to it."""
    return dmc.Select(
        id=_id(id), label=label, data=[{"value": v, "label": text_} for v, text_ in options], value=value or None,
        error=error or None, description=hint or None, placeholder=empty or None, clearable=bool(empty) and not needed,
        allowDeselect=False, searchable=len(options) > MANY, disabled=disabled, className="ll-field",
        comboboxProps={"withinPortal": True, "shadow": "none"}, clearButtonProps={"aria-label": f"Clear: {label}"},
    )  # fmt: skip


def several(
    id: Id, label: str, values: Sequence[str], *, chosen: Sequence[str] = (), error: str = "", disabled: bool = False
) -> Component:
    """Any of several: boxes for a few, a searchable list for many."""
    if len(values) > MANY:
        return dmc.MultiSelect(
            id=_id(id), label=label, data=list(values), value=list(chosen), error=error or None, searchable=True,
            disabled=disabled, className="ll-field",
        )  # fmt: skip
    boxes = [dmc.Checkbox(label=v, value=v, disabled=disabled) for v in values]
    return dmc.CheckboxGroup(
        boxes, id=_id(id), label=label, value=list(chosen), error=error or None, className="ll-field ll-boxes"
    )


def day(id: Id, label: str, *, value: str = "") -> Component:
    """One day."""
    return dmc.DatePickerInput(
        id=_id(id), label=label, value=value or None, valueFormat="D MMM YYYY", placeholder="Choose a day",
        className="ll-field",
    )  # fmt: skip


def days(id: Id, label: str, *, first: str = "", last: str = "") -> Component:
    """A range of days; both may be empty."""
    return dmc.DatePickerInput(
        id=_id(id), label=label, type="range", value=[first or None, last or None], valueFormat="D MMM YYYY",
        placeholder="Any day", clearable=True, allowSingleDateInRange=True, className="ll-field",
        clearButtonProps={"aria-label": f"Clear: {label}"},
    )  # fmt: skip


def segments(
    id: Id, label: str, options: Sequence[tuple[str, str]], *, value: str = "", label_hidden: bool = False
) -> Component:
    """One of a few, side by side: (value, label)."""
    control = dmc.SegmentedControl(
        id=_id(id), data=[{"value": v, "label": text_} for v, text_ in options], value=value, **{"aria-label": label}
    )
    if label_hidden:
        return control
    return html.Div(
        [html.Span(label, className="ll-field-label", **{"aria-hidden": "true"}), control], className="ll-field"
    )


def button(id: Id, label: str, *, kind: str = "", disabled: bool = False, about: str = "") -> Component:
    """A button. ``kind``: "primary", "danger" or "". ``about`` tells apart buttons that read the same."""
    look = {"primary": "ll-primary", "danger": "ll-danger"}.get(kind, "")
    named = {"aria-label": f"{label}: {about}"} if about else {}
    return html.Button(label, id=_id(id), n_clicks=0, className=look, disabled=disabled, type="button", **named)


def form(*fields: object, label: str) -> Component:
    """Fields and buttons that belong together."""
    return html.Div(list(fields), className="ll-form", role="group", **{"aria-label": label})


def buttons(*inside: object) -> Component:
    """Buttons side by side."""
    return html.Div(list(inside), className="ll-buttons")


def shown_once(sentence: str, secret: str, after: str) -> Component:
    """A secret that is shown now and never again."""
    return html.Div(
        [html.Strong(sentence), html.Code(secret, className="ll-secret"), html.Span(after)],
        className="ll-notice is-good",
        role="status",
    )


def _id(id: Id) -> Any:
    return id if isinstance(id, str) else dict(id)
