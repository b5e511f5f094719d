"""Links that change the view of a page. The browser keeps its place, and the address says all of the state."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component


def stay(
    children: object,
    href: str,
    *,
    class_name: str = "",
    current: bool = False,
    label: str = "",
    described_by: str = "",
    title: str = "",
) -> Component:
    """A link to another view of the same page (see ``assets/stay.js``). ``current`` marks the view one looks at."""
    said: dict[str, str] = {"data-stay": "yes"}
    if current:
        said["aria-current"] = "true"
    if label:
        said["aria-label"] = label
    if described_by:
        said["aria-describedby"] = described_by
    name = f"{class_name} is-current".strip() if current else class_name
    return html.A(children, href=href, className=name, title=title or None, **said)


def segments(label: str, options: Sequence[tuple[str, str, bool]]) -> Component:
    """A segmented choice: (text, address, chosen)."""
    made = [stay(text, href, current=chosen) for text, href, chosen in options]
    return html.Nav(made, className="ll-segments", **{"aria-label": label})


def tabs(label: str, options: Sequence[tuple[str, str, bool]]) -> Component:
    """Words with the chosen one underlined: (text, address, chosen)."""
    made = [stay(text, href, current=chosen) for text, href, chosen in options]
    return html.Nav(made, className="ll-tabs", **{"aria-label": label})


def pick(label: str, options: Sequence[tuple[str, str, bool]]) -> Component:
    """A choice that opens: (text, address, chosen). It closes by itself (``assets/stay.js``)."""
    chosen = next((text for text, _, on in options if on), "")
    made = [stay(text, href, current=on) for text, href, on in options]
    summary = html.Summary([html.Span(f"{label}: ", className="ll-hidden"), chosen])
    return html.Details([summary, html.Nav(made, **{"aria-label": label})], className="ll-pick")


def step(text: str, href: str, label: str) -> Component:
    """A small arrow to the view before or after; where there is none, its place stays empty."""
    if not href:
        return html.Span(text, className="ll-step is-off", **{"aria-hidden": "true"})
    return stay(text, href, class_name="ll-step", label=label)
