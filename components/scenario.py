"""Now and then: two scores on one scale, what each change did, and all reasons side by side.

Nothing here uses a chart library: an answer is drawn ten times a second while somebody drags, on axes that stand still.
For the same reason a bar is one element, whose place and length are style variables, and folded parts are drawn only
where they are open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dash import html
from dash.development.base_component import Component

if TYPE_CHECKING:
    from services.explanations import Why
    from services.what_if_answers import Pair, Scale, Step, WhatIf

REACHES = (0.1, 0.25, 0.5, 1.0)
ARROW = 0.04
TOGETHER = "A change moves other reasons too: its own bar below is only a part of what it did."


def now_and_then(answer: WhatIf) -> Component:
    """The sentence, and both scores on one scale with an arrow between them."""
    moved = abs(answer.points) > 0
    return html.Section(
        [
            html.H2("Now and then", className="ll-hidden"),
            html.P(answer.sentence, className="ll-wi-sentence", **{"aria-live": "polite"}),
            _scale(answer.scale, answer.base_score, answer.scenario_score, moved=moved, words=answer.sentence),
        ],
        className="ll-wi-now",
    )


def steps(answer: WhatIf) -> Component:
    """One bar for each change and one for their interplay; together they are the difference."""
    reach = _reach([s.points for s in answer.steps], answer)
    rows = [
        html.Div(
            [
                html.Span(s.label, className="" if s.feature else "ll-soft"),
                html.Span(className=f"ll-wi-one{_kind(s.points, s.feature)}", style=_bar("", s.points, reach)),
                html.Span(s.points_text, className="ll-barvalue"),
            ],
            className="ll-barrow",
            title=_alone(s),
        )
        for s in answer.steps
    ]
    total = html.Div(
        [html.Span("Together"), html.Span(), html.Span(answer.points_text, className="ll-barvalue")],
        className="ll-barrow is-chosen ll-wi-total",
    )
    empty = html.P("Nothing is changed yet.", className="ll-soft ll-small")
    return html.Section(
        [html.H2("What your changes did"), html.Div([*rows, total], className="ll-bars") if rows else empty],
        className="ll-wi-part",
    )


def reasons(answer: WhatIf, *, open_: bool) -> Component:
    """Every reason today and in the scenario, one above the other on one zero line; once where nothing is changed."""
    reach = max((abs(p.points[0]) for p in answer.pairs), default=0.0) * 1.5 or 1.0
    both = bool(answer.changed)
    short = [_pair(p, reach, both=both) for p in answer.pairs if p.kind != "more"]
    more = [p for p in answer.pairs if p.kind == "more"]
    key = [html.Span(className="ll-wi-key is-today"), "today", html.Span(className="ll-wi-key"), "with your changes"]
    drawn: list[Component] = [
        html.H2("All reasons, side by side" if both else "All reasons today"),
        *([html.P(TOGETHER, className="ll-soft ll-small")] if both else []),
        html.P(key if both else "Your changes will show beside them.", className="ll-soft ll-small ll-wi-keys"),
        html.Div(short, role="group", **{"aria-label": "Reasons today and with your changes"}),
    ]
    if more:
        inside = [_pair(p, reach, both=both) for p in more] if open_ else []
        drawn.append(_folded("more", "Show the smaller ones", [html.Div(inside)], open_=open_))
    return html.Section(drawn, className="ll-wi-part")


def waterfall(answer: WhatIf, *, open_: bool) -> Component:
    """For those who read SHAP values: from the base value to the score in the model's own link, today and then."""
    unit = "log-odds" if answer.scenario.link == "logit" else "the unit of the score"
    inside = _waterfall(answer) if open_ else []
    return _folded("waterfall", f"Waterfall in {unit}", inside, open_=open_)


def _waterfall(answer: WhatIf) -> list[Component]:
    then = {r.feature: r.contribution for r in answer.scenario.reasons}
    now = [(r.label, r.contribution, then.get(r.feature, 0.0)) for r in answer.base.reasons]
    base = answer.base.base_value
    path = [base]
    for _, _, value in now:
        path.append(path[-1] + value)
    ends = _ends(answer.base, answer.scenario)
    margins = (answer.base.margin, answer.scenario.margin)
    rows = [_fall("Base value", (base, base), (0.0, base), ends, whole=True)]
    rows += [_fall(row[0], row[1:], (path[at], path[at + 1]), ends) for at, row in enumerate(now)]
    rows.append(_fall("Score", margins, (0.0, margins[1]), ends, whole=True))
    drawn = html.Th(html.Span("Drawn", className="ll-hidden"), scope="col")
    head = html.Tr([html.Th("Input", scope="col"), html.Th("Today", scope="col"), html.Th("Then", scope="col"), drawn])
    method = html.P(f"Values are {answer.scenario.method}.", className="ll-soft ll-small")
    return [method, html.Table([html.Thead(head), html.Tbody(rows)], className="ll-table ll-wi-falls")]


def _folded(name: str, summary: str, inside: list[Component], *, open_: bool) -> Component:
    """A part that the browser asks for when it is opened."""
    return html.Details([html.Summary(summary), *inside], className="ll-wi-fold", open=open_, **{"data-part": name})


def _scale(scale: Scale, base: float, then: float, *, moved: bool, words: str) -> Component:
    def at(value: float) -> str:
        return f"{min(1.0, max(0.0, (value - scale.low) / (scale.high - scale.low))) * 100:.2f}%"

    bands = [b for b in scale.bands if scale.low < b[1] < scale.high]
    edges = sorted({scale.low, scale.high, *(b[1] for b in bands)})
    names = [
        html.Span(
            name, className="is-name", title=f"{name}: {label}" if label else name,
            style={"left": at(limit), "width": f"calc({at(_above(edges, limit))} - {at(limit)})"},
        )
        for name, limit, label in scale.bands
        if scale.low <= max(limit, scale.low) < scale.high
    ]  # fmt: skip
    left, right = min(base, then), max(base, then)
    far = (right - left) / (scale.high - scale.low) > ARROW
    arrow = html.Span(
        className=f"is-move {'is-up' if then > base else 'is-down'}" if far else "is-move",
        style={"left": at(left), "width": f"calc({at(right)} - {at(left)})"},
    )
    return html.Div(
        [
            html.Span(className="is-line"),
            *(html.Span(className="is-limit", style={"left": at(b[1])}) for b in bands),
            *names,
            *(html.Span(text, className=_tick(scale, value), style={"left": at(value)}) for value, text in scale.ticks),
            arrow if moved else None,
            html.Span(className="is-now", style={"left": at(base)}),
            html.Span(className="is-then", style={"left": at(then)}) if moved else None,
        ],
        className="ll-wi-scale",
        role="img",
        **{"aria-label": words},
    )


def _tick(scale: Scale, value: float) -> str:
    """The outermost ticks stand inside the axis."""
    return "is-tick is-first" if value <= scale.low else "is-tick is-last" if value >= scale.high else "is-tick"


def _above(edges: Sequence[float], limit: float) -> float:
    return next((e for e in edges if e > limit), edges[-1])


def _reach(values: Sequence[float], answer: WhatIf) -> float:
    """The ends of the steps’ axis: a few fixed lengths, so that a bar grows while it is dragged, not the axis."""
    whole = 1.0 if answer.probability else answer.scale.high - answer.scale.low
    biggest = max((abs(v) for v in values), default=0.0)
    return next((r * whole for r in REACHES if r * whole >= biggest), biggest or whole)


def _bar(name: str, amount: float, reach: float) -> dict[str, str]:
    """Place and length of a bar from the zero line in the middle, as style variables ``--<name>l``, ``--<name>w``."""
    width = min(1.0, abs(amount) / reach) * 50
    return {f"--{name}l": f"{50 - width if amount < 0 else 50:.2f}%", f"--{name}w": f"{width:.2f}%"}


def _kind(amount: float, feature: str) -> str:
    """Contributions carry a colour; sums of several do not."""
    return "" if not feature else " is-raise" if amount > 0 else " is-lower"


def _pair(pair: Pair, reach: float, *, both: bool) -> Component:
    now, then = pair.points
    bars = _bar("", then, reach) | (_bar("n", now, reach) if both else {})
    then_kind, now_kind = _kind(then, pair.feature), _kind(now, pair.feature).replace("is-", "was-")
    texts = [html.Span(pair.texts[0]), pair.texts[1]] if both else pair.texts[1]
    return html.Div(
        [
            html.Span([pair.label, html.Span(pair.value)]),
            html.Span(className=f"{'ll-wi-two' if both else 'll-wi-one'}{then_kind}{now_kind}", style=bars),
            html.Span(texts),
        ],
        className="ll-wi-pair is-changed" if pair.changed else "ll-wi-pair",
    )


def _alone(step: Step) -> str:
    if not step.feature:
        return "What the changes do together beyond what each does alone"
    return "The score with this change alone, against today’s"


def _ends(base: Why, then: Why) -> tuple[float, float]:
    """The ends of the waterfall: today's path and the scenario's score, with room, so that it stands still."""
    at, path = base.base_value, [0.0, base.base_value, base.margin, then.margin]
    for r in base.reasons:
        at += r.contribution
        path.append(at)
    low, high = min(path), max(path)
    room = 0.2 * (high - low or 1.0)
    return low - room, high + room


def _fall(
    label: str,
    values: tuple[float, float],
    span: tuple[float, float],
    ends: tuple[float, float],
    *,
    whole: bool = False,
) -> Component:
    """A row of the waterfall: both values, and the scenario's step from ``span[0]`` to ``span[1]``."""

    def at(value: float) -> float:
        return min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0]))) * 100

    left, right = at(min(span)), at(max(span))
    kind = "" if whole else " is-raise" if span[1] > span[0] else " is-lower"
    bar = {"--l": f"{left:.2f}%", "--w": f"{right - left:.2f}%", "--z": f"{at(0.0):.2f}%"}
    numbers = [html.Td(f"{v:+.3f}".replace("-", "\u2212"), className="is-number") for v in values]
    drawn = html.Td(className=f"ll-wi-one{kind}", style=bar)
    return html.Tr([html.Th(label, scope="row"), *numbers, drawn], className="is-total" if whole else "")
