"""What would move it: the model's answer to edited inputs of one row that the viewer may see.

The base is the stored row of the current run, so that no edit gives the stored score (law 5). Nothing is
replaced without saying so: a refused edit is named and changes nothing, a flagged one is named and used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from data import runs as run_log
from data.definitions import Band, LakeFile, ModelUse, Scalar
from data.questions import Aggregate, Aggregated, And, Compare, Everything, Filter, Or, Order, Select
from models import explaining, what_if
from models.artefacts import ArtefactMissing
from models.explaining import Explanation, NotAdditive
from models.predicting import ModelProfile, Predictor
from models.what_if import Checked, NotMovable, Response
from services import (
    access,
    audit,
    explanations,
    lead_query,
    lead_words,
    leads,
    limits,
    logs,
    move_counts,
    runs,
    wording,
)
from services import what_if_words as words
from services.access import Viewer
from services.errors import Forbidden, InvalidQuery, NotFound, NotReady, Unavailable
from services.explanations import Why
from services.lead_answers import RunFacts
from services.lead_query import LeadQuery
from services.leads import Asked
from services.runs import Run
from services.sources import Sources
from services.what_if_answers import (
    LONGEST_KEY,
    Control,
    Fixed,
    Pair,
    Scale,
    Start,
    StartPage,
    Step,
    WhatIf,
    WhatIfQuery,
)
from services.what_if_words import NOT_CHANGEABLE

__all__ = ["NOT_CHANGEABLE", "Control", "Fixed", "Pair", "Scale", "Start", "StartPage", "Step", "WhatIf", "WhatIfQuery"]

log = logs.logger("lakelight.what_if")
STARTS = 3
FOUND = 10


@dataclass(frozen=True)
class _Stand:
    """What does not change while somebody moves controls: the row, its inputs, and why it has its score."""

    asked: Asked
    row: Mapping[str, Any]
    inputs: Mapping[str, Scalar]
    name: str
    place: str
    profile: ModelProfile
    predictor: Predictor
    named: frozenset[str]
    allowed: frozenset[str]
    base: Explanation
    why: Why
    scale: Scale
    controls: tuple[Control, ...]
    fixed: tuple[Fixed, ...]


def explore(viewer: Viewer, sources: Sources, query: WhatIfQuery) -> WhatIf:
    """Open the what-if of a row: one audit event. Raises ``InvalidQuery`` for an input that is not to be moved."""
    access.require(viewer, "what_if:run")
    limits.move(viewer, sources)
    _write(sources, sources.moves.take(before=sources.clock() - move_counts.WAIT, session_id=viewer.session_id))
    stand = _stand(viewer, sources, query)
    answer = _answer(viewer, sources, stand, query)
    detail = {"version": stand.asked.run.version, "changed": sorted(answer.changed)}
    audit.record(viewer, sources, "what_if.open", _resource(stand), detail=detail)
    return answer


def move(viewer: Viewer, sources: Sources, query: WhatIfQuery) -> WhatIf:
    """The answer to the next move of a control. Moves are counted, and written as one event a minute and row."""
    access.require(viewer, "what_if:run")
    limits.move(viewer, sources)
    stand = _stand(viewer, sources, query, moving=True)
    answer = _answer(viewer, sources, stand, query)
    if sources.moves.add(viewer, _resource(stand), answer.changed, sources.clock()):
        sources.moves.write_later(partial(write_moves, sources))
    return answer


def write_moves(sources: Sources) -> None:
    """Write every count of this process now; what cannot be written is logged."""
    try:
        _write(sources, sources.moves.take())
    except Exception:
        log.exception("moves of the what-if were not written")


def start_page(viewer: Viewer, sources: Sources, query: WhatIfQuery) -> StartPage:
    """Where to begin: the models with rows in scope, three rows of one of them near a band limit, and rows to find."""
    access.require(viewer, "what_if:run")
    runs_ = _models(viewer, sources)
    if not any(_allowed(viewer, m) for m in sources.workspace.models.models.values()):
        raise Forbidden("You have no rows of any model.", next_step="Your administrator can grant them.")
    if not runs_:
        raise NotReady("No model has scored rows of yours yet.", next_step="Come back when the first run is done.")
    if query.list is not None and query.list not in runs_:
        raise NotFound("There is no such model with rows of yours.")
    moves = {n: _can_move(viewer, sources.workspace.models.models[n], run) for n, run in runs_.items()}
    name = query.list or next((n for n in runs_ if moves[n]), next(iter(runs_)))
    model, run = sources.workspace.models.models[name], runs_[name]
    asked = _list(viewer, sources, _asked(viewer, model, run, name=name))
    starts = _starts(sources, asked) if moves[name] and not query.search else ()
    found = _found(sources, asked, query.search) if moves[name] else ()
    if starts or found:
        keys = sorted({s.key for s in (*starts, *found)})
        detail = {"of": asked.of, "rows": len(keys), "keys": keys}
        audit.record(viewer, sources, "leads.read", name, detail=detail)
    nobody = f"Nobody here matches “{query.search}”." if query.search else "There is no row of yours to start from."
    return StartPage(
        list=name,
        of=asked.of,
        choices=tuple((n, sources.workspace.models.models[n].label, n == name) for n in runs_),
        entity=model.words.entity.one,
        starts=starts,
        found=found,
        search=query.search,
        sentence=NOT_CHANGEABLE if not moves[name] else "" if found else nobody,
        may_list=model.lead is not None,
        facts=_facts(model, run),
    )


def movable(viewer: Viewer, model: ModelUse, hidden: frozenset[str]) -> frozenset[str]:
    """Features this viewer may move: the actionable ones, or every one for those who may and from whom none is hidden.

    Who could move all but a hidden one could make rows alike in everything else and read it off their scores.
    """
    every = access.decide(viewer, "what_if:all_inputs").allowed and not hidden
    return frozenset(n for n, f in model.features.items() if n not in hidden and (every or f.actionable))


# ── one row ───────────────────────────────────────────────────────────────────────────────────────


def _stand(viewer: Viewer, sources: Sources, query: WhatIfQuery, *, moving: bool = False) -> _Stand:
    """The row an address names, with everything that the next moves need; kept for the rights it was read under."""
    name = query.list or next((n for n, m in sources.workspace.models.models.items() if m.lead), "")
    model = sources.workspace.models.models.get(name)
    if model is None or not query.key or len(query.key) > LONGEST_KEY:
        raise NotFound("There is no such lead in your list.", next_step="Go back to your list.")
    access.require(viewer, "leads:read", model.scored.dataset)
    run = _run_while_moving(sources, name) if moving else runs.current_run(sources, name)
    if run is None:
        raise NotReady(f"{model.label} is not scored yet.", next_step="Come back when the first run is done.")
    key = ("what-if", name, query.key, run.scores, run.inputs, run.digest, run.profile, viewer.fingerprint)
    kept = sources.cache.get_or_make(key, lambda: _made(viewer, sources, replace(query, list=name), run))
    return replace(kept, asked=replace(kept.asked, run=run))


def _made(viewer: Viewer, sources: Sources, query: WhatIfQuery, run: Run) -> _Stand:
    asked, row = _row(viewer, sources, query, run)
    model, lake, profile = asked.model, sources.workspace.lake, asked.run.profile
    stored = leads.inputs_of(sources, asked, row["row_id"])
    if not stored or profile is None:
        raise NotReady("The inputs of this row are being prepared.", next_step="Try again in a minute.")
    hidden = explanations.hidden_features(viewer, model)
    allowed = movable(viewer, model, hidden)
    checked = what_if.check({}, stored, profile=profile, features=model.features, allowed=allowed)
    inputs, predictor = checked.stored, _predictor(sources, asked.run)
    base = _explained(lambda: what_if.explain(predictor, inputs, profile=profile, features=model.features))
    if not abs(base.margin - row["margin"]) <= explaining.FLOAT32 * max(1.0, abs(row["margin"])):
        raise Unavailable(
            "The stored score of this row does not come from its stored inputs.",
            next_step="Tell your administrator: the list must be scored again.",
        )
    named = explanations.named_features(model, hidden, run.importance)
    name, place = _name(sources, asked, row)
    return _Stand(
        asked=asked,
        row=row,
        inputs=inputs,
        name=name,
        place=place,
        profile=profile,
        predictor=predictor,
        named=named,
        allowed=allowed,
        base=base,
        why=explanations.why(model, base, inputs, named=named, profile=profile, lake=lake),
        scale=_scale(sources, asked, base.score),
        controls=words.controls(model, checked, {}, allowed=allowed, profile=profile, lake=lake),
        fixed=words.fixed(model, inputs, allowed=allowed, hidden=hidden, profile=profile, lake=lake),
    )


def _run_while_moving(sources: Sources, name: str) -> Run | None:
    """The run that pages read now; what is known of it is looked up once a run, not once a move."""
    with sources.store.read() as session:
        current = run_log.current(session, name)
    if current is None:
        return None
    return sources.cache.get_or_make(("what-if run", name, current.id), lambda: runs.current_run(sources, name))


def _answer(viewer: Viewer, sources: Sources, stand: _Stand, query: WhatIfQuery) -> WhatIf:
    model, lake = stand.asked.model, sources.workspace.lake
    try:
        checked = what_if.check(
            query.edits, stand.inputs, profile=stand.profile, features=model.features, allowed=stand.allowed
        )
    except NotMovable as problem:
        told = f"There is no input “{problem.feature[:40]}” that you can change."
        audit.denied(viewer, sources, "what_if.refused", _resource(stand), told)
        raise InvalidQuery(told, next_step="Open the what-if from the lead again.") from problem
    response = _explained(
        lambda: what_if.respond(
            stand.predictor, checked, base=stand.base, profile=stand.profile, features=model.features
        )
    )
    then = words.moved(model, stand.why, response.scenario, checked, lake=lake) if checked.changed else stand.why
    return _drawn(viewer, sources, stand, query, checked=checked, response=response, then=then)


def _drawn(
    viewer: Viewer,
    sources: Sources,
    stand: _Stand,
    query: WhatIfQuery,
    *,
    checked: Checked,
    response: Response,
    then: Why,
) -> WhatIf:
    model, lake = stand.asked.model, sources.workspace.lake
    points = response.scenario.score - stand.base.score
    said = explanations.points_text(model, points, lake) if checked.changed else ""
    base_band, band = (_band(model, s) for s in (stand.base.score, response.scenario.score))
    refused = sum(f.refused for f in checked.findings.values())
    return WhatIf(
        list=stand.asked.name,
        key=query.key or "",
        of=stand.asked.of,
        name=stand.name,
        place=stand.place,
        entity=model.words.entity.one,
        controls=_controls(stand, query, checked, lake),
        fixed=stand.fixed,
        base=stand.why,
        scenario=then,
        base_score=stand.base.score,
        scenario_score=response.scenario.score,
        base_band=base_band,
        scenario_band=band,
        scale=stand.scale,
        points=points,
        points_text=said,
        sentence=words.sentence(
            (_score(stand, stand.base.score, points, lake), base_band),
            (_score(stand, response.scenario.score, points, lake), band),
            points=said, changed=len(checked.changed), refused=refused,
        ),
        steps=tuple(_step(model, e.feature, e.value, sources) for e in response.effects),
        pairs=words.pairs(model, stand.why, then, changed=checked.changed, lake=lake),
        probability=model.task == "classification",
        technical=access.decide(viewer, "explanations:technical").allowed,
        may_list=model.lead is not None,
        facts=_facts(model, stand.asked.run),
        url=replace(query, list=stand.asked.name).to_url(),
    )  # fmt: skip


def _controls(stand: _Stand, query: WhatIfQuery, checked: Checked, lake: LakeFile) -> tuple[Control, ...]:
    """Controls as they stand, and those that an edit names put into words again."""

    def again(known: Control) -> Control:
        return words.control(
            known.feature, stand.asked.model.features, checked, edits=query.edits, profile=stand.profile, lake=lake
        )

    return tuple(again(c) if c.feature in query.edits else c for c in stand.controls)


def _resource(stand: _Stand) -> str:
    """The row's one name in the log, however its address was written."""
    return f"{stand.asked.name}/{lead_query.key_text(stand.asked.model, stand.row)}"


def _step(model: ModelUse, feature: str, value: float, sources: Sources) -> Step:
    label = model.features[feature].label if feature else "Interplay of the changes"
    return Step(feature, label, value, explanations.points_text(model, value, sources.workspace.lake))


def _row(viewer: Viewer, sources: Sources, query: WhatIfQuery, run: Run) -> tuple[Asked, dict[str, Any]]:
    """The scored row in the viewer's scope; a model that ranks nobody is read by its key alone."""
    model = sources.workspace.models.models[query.list or ""]
    if model.lead is not None:
        return leads.find(viewer, sources, query.key or "", LeadQuery(list=query.list))
    asked = _asked(viewer, model, run, name=query.list or "")
    kinds = {f.name: str(f.type) for f in sources.lake.schema(run.scores)}
    found = _rows(sources, asked, lead_query.key_filter(model, query.key or "", kinds), (Order("row_id"),), 1)
    if not found:
        raise NotFound("There is no such lead in your list.", next_step="Go back to your list.")
    return asked, found[0]


def _name(sources: Sources, asked: Asked, row: Mapping[str, Any]) -> tuple[str, str]:
    """What the row is called for this viewer, and its place; its key where the name is masked or missing."""
    by = {c.role: c.field for c in asked.columns}
    name = lead_words.text(row.get(by.get("name", ""))) or lead_words.identity(sources, asked.model, row)
    return name, lead_words.text(row.get(by.get("place", "")))


def _scale(sources: Sources, asked: Asked, base: float) -> Scale:
    if asked.model.task == "classification":
        return words.scale(asked.model, base, None, None, sources.workspace.lake)
    question = Aggregate(asked.run.scores, (Aggregated("middle", "median", "score"), Aggregated("low", "min", "score")))
    found = sources.lake.read(question, where=asked.where).to_pylist()[0]
    return words.scale(asked.model, base, found["middle"], found["low"], sources.workspace.lake)


def _score(stand: _Stand, score: float, points: float, lake: LakeFile) -> str:
    """A score in the sentence, with a decimal where the difference has one: they add up but for rounding."""
    least = 1 if 0 < abs(points) < wording.WHOLE_POINTS else None
    return explanations.score_shown(stand.asked.model, score, lake, least).text


def _band(model: ModelUse, score: float) -> str:
    return next((b.name for b in model.bands if score >= b.at_least), "")


def _predictor(sources: Sources, run: Run) -> Predictor:
    try:
        return sources.artefacts.predictor(run.digest)
    except ArtefactMissing as problem:
        raise Unavailable(str(problem), next_step="Tell your administrator.") from problem


def _explained(ask: Any) -> Any:
    try:
        return ask()
    except NotAdditive as problem:
        raise Unavailable(
            "The model’s reasons do not add up to its score, so no answer is shown.",
            next_step="Tell your administrator.",
        ) from problem


# ── where to start ────────────────────────────────────────────────────────────────────────────────


def _models(viewer: Viewer, sources: Sources) -> dict[str, Run]:
    """Models with a run and with rows in the viewer's scope."""
    found = {}
    for name, model in sources.workspace.models.models.items():
        run = runs.current_run(sources, name) if _allowed(viewer, model) else None
        if run is not None:
            found[name] = run
    return found


def _allowed(viewer: Viewer, model: ModelUse) -> bool:
    return access.decide(viewer, "leads:read", model.scored.dataset).allowed


def _can_move(viewer: Viewer, model: ModelUse, run: Run) -> bool:
    taken = {n for n, f in model.features.items() if run.profile and (f.one_hot or n in run.profile.names)}
    return bool(movable(viewer, model, explanations.hidden_features(viewer, model)) & taken)


def _asked(viewer: Viewer, model: ModelUse, run: Run, *, name: str) -> Asked:
    """A model's rows without the columns of a list."""
    if not _allowed(viewer, model):
        raise Forbidden("You have no rows of this model.", next_step="Your administrator can grant them.")
    return Asked(name, model, run, "", Everything(), (), access.rows(viewer, model.scored.dataset))


def _list(viewer: Viewer, sources: Sources, asked: Asked) -> Asked:
    """The newest list of a model that ranks, with its columns; other models stay as they are."""
    if asked.model.lead is None:
        return asked
    of = next((c.of for c in leads.lists(viewer, sources) if c.list == asked.name), "")
    return leads.selection(viewer, sources, LeadQuery(list=asked.name, of=of or None))[0]


def _starts(sources: Sources, asked: Asked) -> tuple[Start, ...]:
    """Rows just below a band limit, the limits taken in turn; none for a model without bands."""
    limits = [b for b in asked.model.bands if any(o.at_least < b.at_least for o in asked.model.bands)]
    near = [(b, _below(sources, asked, b.at_least)) for b in limits]
    found: dict[str, Start] = {}
    for turn in range(STARTS):
        for band, rows in near:
            if turn < len(rows) and len(found) < STARTS:
                made = _start(sources, asked, rows[turn], near=_distance(sources, asked.model, rows[turn], band))
                found.setdefault(made.key, made)
    return tuple(found.values())


def _distance(sources: Sources, model: ModelUse, row: Mapping[str, Any], band: Band) -> str:
    """How far a row is from a limit above it, such as "5.8 pp below A"; "just" where that rounds to nothing."""
    text = explanations.points_text(model, band.at_least - row["score"], sources.workspace.lake).removeprefix("+")
    return f"{text if any(c in '123456789' for c in text) else 'just'} below {band.name}"


def _found(sources: Sources, asked: Asked, search: str) -> tuple[Start, ...]:
    """The first rows of the list, or those whose texts or key match."""
    rows = _rows(sources, asked, _matching(sources, asked, search), (Order("row_id"),), FOUND)
    return tuple(_start(sources, asked, row, near="") for row in rows)


def _matching(sources: Sources, asked: Asked, search: str) -> Filter:
    if not search:
        return Everything()
    parts: list[Filter] = [
        Compare(c.field, "contains", search) for c in asked.columns if c.kind == "text" and c.role != "band"
    ]
    kinds = {f.name: str(f.type) for f in sources.lake.schema(asked.run.scores)}
    for column in asked.model.scored.key:
        if kinds[column].startswith(("int", "uint")):
            number = int(search) if search.isascii() and search.isdecimal() and len(search) < 19 else None
            parts += [Compare(column, "eq", number)] if number is not None else []
        else:
            parts.append(Compare(column, "contains", search))
    return Or(tuple(parts))


def _start(sources: Sources, asked: Asked, row: Mapping[str, Any], *, near: str) -> Start:
    name, place = _name(sources, asked, row)
    key = lead_query.key_text(asked.model, row)
    score = explanations.score_shown(asked.model, row["score"], sources.workspace.lake)
    return Start(key, name, place, score, row["band"] or "", near)


def _below(sources: Sources, asked: Asked, limit: float) -> list[dict[str, Any]]:
    return _rows(sources, asked, Compare("score", "lt", limit), (Order("score", True), Order("row_id")), STARTS)


def _rows(sources: Sources, asked: Asked, wanted: Filter, order: tuple[Order, ...], limit: int) -> list[dict[str, Any]]:
    names = ("row_id", "score", "margin", "band", *asked.model.scored.key, *(c.field for c in asked.columns))
    question = Select(asked.run.scores, tuple(dict.fromkeys(names)), And((asked.list_filter, wanted)), order, limit)
    found: list[dict[str, Any]] = sources.lake.read(question, where=asked.where).to_pylist()
    return found


def _facts(model: ModelUse, run: Run) -> RunFacts:
    return RunFacts(model.label, run.version, run.scored_at, run.as_of, run.waiting)


def _write(sources: Sources, taken: tuple[move_counts.Moves, ...]) -> None:
    left = list(taken)
    try:
        while left:
            moves = left[0]
            detail = {"moves": moves.count, "changed": sorted(moves.changed), "since": moves.since.isoformat()}
            audit.record(moves.viewer, sources, "what_if.moves", moves.resource, detail=detail)
            left.pop(0)
    finally:
        for moves in left:
            sources.moves.put_back(moves)
