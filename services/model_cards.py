"""Can this model be trusted? Its card for one viewer, and the list of all models.

The measured parts come from the past that the viewer may see (``model_past``); the rest are facts of the model itself.
Each part is a value or a problem with its sentence, so that one broken part never empties the page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from data.lake import LakeError
from services import access, model_checks, model_facts, model_past, model_replays, model_words, snapshots, wording
from services.access import Viewer
from services.errors import NotFound, Refusal
from services.model_answers import ModelCard, ModelLine, ModelList, Note, Problem, State, Verdict
from services.model_facts import Facts
from services.model_past import Past
from services.model_query import ModelQuery
from services.model_replays import InAll
from services.sources import Sources, now

T = TypeVar("T")
CHECK_DAYS = 90
NO_OUTCOMES = Problem(
    "No outcome is recorded for this model yet, so it cannot be replayed.",
    "The figures of its test stand for it.",
)


def overview(viewer: Viewer, sources: Sources) -> ModelList:
    """Every model the workspace uses, in the order of its file."""
    access.require(viewer, "models:read")
    lines = tuple(_line(viewer, sources, name) for name in sources.workspace.models.models)
    used = tuple(line.verdict.tone for line in lines if line.state.standing == "in_use")
    others = tuple(f"{line.label} is {line.state.word.lower()}." for line in lines if line.state.standing != "in_use")
    return ModelList(
        headline=model_words.headline(used, others),
        scope=(f"As of {_today(sources)}", f"{len(lines)} {'model' if len(lines) == 1 else 'models'}"),
        lines=lines,
    )


def card(viewer: Viewer, sources: Sources, query: ModelQuery) -> ModelCard:
    """One model. Raises ``NotFound`` for an unknown name, ``InvalidQuery`` for a past list that is not in the rows."""
    access.require(viewer, "models:read")
    facts = _facts(sources, query.name)
    state = _state(viewer, sources, facts)
    past = _past(viewer, sources, facts)
    measured = past if isinstance(past, Past) else None
    missing = None if state.standing != "in_use" else past if isinstance(past, Problem) else NO_OUTCOMES
    if measured is not None:
        model_past.chosen_run(measured, query.run)
    return ModelCard(
        query=query,
        label=facts.use.label,
        target=facts.use.target,
        state=state,
        verdict=_verdict(sources, facts, state, past),
        facts=_facts_line(facts),
        scope=_scope(sources, facts),
        notes=_notes(viewer, sources, facts, measured),
        replay=_part(lambda: model_replays.replay(measured, query)) if measured else missing,
        calibration=_part(lambda: model_checks.calibration(measured)) if measured else None,
        importance=model_facts.importance(viewer, sources, facts) if state.standing == "in_use" else None,
        segments=_part(lambda: model_checks.segments(measured)) if measured else None,
        metrics=model_facts.metrics(sources, facts, versus=query.versus) if state.standing == "in_use" else None,
        challenger=facts.challenger.version if facts.challenger is not None and facts.run is not None else "",
        about=model_facts.about(sources, facts),
        limits=model_facts.limits(facts),
        approvals=model_facts.approvals(sources, facts),
        versions=model_facts.version_lines(facts, sources.workspace.lake.timezone),
        technical=access.decide(viewer, "explanations:technical").allowed or access.decide(viewer, "jobs:run").allowed,
    )


def _line(viewer: Viewer, sources: Sources, name: str) -> ModelLine:
    facts = _facts(sources, name)
    state = _state(viewer, sources, facts)
    past = _past(viewer, sources, facts)
    measured = past if isinstance(past, Past) else None
    found = _part(lambda: model_replays.in_all(measured)) if measured is not None else None
    return ModelLine(
        name=name,
        label=facts.use.label,
        target=facts.use.target,
        state=state,
        verdict=_verdict(sources, facts, state, past),
        facts=_facts_line(facts, scored=sources.workspace.lake.timezone),
        compared=found.compared if isinstance(found, InAll) else None,
        notes=_notes(viewer, sources, facts, measured),
    )


def _facts(sources: Sources, name: str) -> Facts:
    if name not in sources.workspace.models.models:
        raise NotFound("There is no such model.", next_step="Open the list of models.")
    return model_facts.facts_of(sources, name)


def _state(viewer: Viewer, sources: Sources, facts: Facts) -> State:
    if facts.run is not None:
        return model_facts.state_of(facts)
    held = _part(lambda: snapshots.snapshot(viewer, sources, facts.use.scored.dataset))
    return model_facts.state_of(facts, held.sentence if isinstance(held, Problem) else "")


def _past(viewer: Viewer, sources: Sources, facts: Facts) -> Past | Problem | None:
    run = facts.run
    return None if run is None else _part(lambda: model_past.past_of(viewer, sources, facts.use, run))


def _part(make: Callable[[], T]) -> T | Problem:
    """A part of the page, or why it is not there."""
    try:
        return make()
    except Refusal as refused:
        return Problem(refused.sentence, refused.next_step)
    except LakeError as broken:
        return Problem(str(broken), "The rest of the card stands.")


def _verdict(sources: Sources, facts: Facts, state: State, past: Past | Problem | None) -> Verdict:
    if state.standing != "in_use":
        return Verdict(state.sentence, state.tone, "")
    if isinstance(past, Past):
        found = _part(lambda: model_replays.in_all(past))
        if isinstance(found, InAll):
            return found.verdict
    sentence, tone = model_facts.tested_verdict(sources, facts)
    tested = model_facts.tested_on(facts)
    return Verdict(sentence, tone, f"From its test: {tested}." if tested else "")


def _facts_line(facts: Facts, scored: str = "") -> tuple[str, ...]:
    """Version, training, test, owner in one line; the list says when it scored instead of what it was tested on."""
    found, said = facts.serving, []
    if found is not None:
        alias = facts.use.alias if facts.use.alias in found.aliases else "serving"
        said.append(f"{alias.capitalize()} version {found.version}")
    trained, tested = model_facts.trained_to(facts), model_facts.tested_on(facts)
    if trained:
        said.append(f"trained to {trained}")
    if scored and facts.run is not None:
        said.append(f"scored {wording.moment(facts.run.scored_at, scored)}")
    elif tested:
        said.append(f"tested on {tested}")
    if facts.use.owner:
        said.append(f"owner {facts.use.owner}")
    return tuple(said)


def _scope(sources: Sources, facts: Facts) -> tuple[str, ...]:
    said = [f"As of {_today(sources)}"]
    if facts.run is not None:
        when = wording.moment(facts.run.scored_at, sources.workspace.lake.timezone)
        said.append(f"model version {facts.run.version}, scored {when}")
    return tuple(said)


def _notes(viewer: Viewer, sources: Sources, facts: Facts, past: Past | None) -> tuple[Note, ...]:
    """Refused and waiting versions, newer data that waits, data that is older than promised, a long time unchecked."""
    notes = list(model_facts.notes_of(facts))
    if facts.run is not None:
        held = _part(lambda: snapshots.snapshot(viewer, sources, facts.use.scored.dataset))
        if isinstance(held, snapshots.Snapshot) and held.stale:
            notes.append(Note(held.stale_reason, "Scores are as old as these data.", "watch"))
    unchecked = _unchecked(sources, past)
    return (*notes, unchecked) if unchecked else tuple(notes)


def _unchecked(sources: Sources, past: Past | None) -> Note | None:
    if past is None or past.newest is None:
        return None
    age = now(sources) - past.newest
    if age <= timedelta(days=CHECK_DAYS + past.outcomes.delay_days):
        return None
    said = f"Last checked {model_words.days_ago(age.days)}: the newest past list is of {wording.day(past.newest)}."
    return Note(said, "Record newer outcomes, or read these figures with care.", "watch")


def _today(sources: Sources) -> str:
    """The workspace's day in its own zone."""
    return wording.day(now(sources).astimezone(ZoneInfo(sources.workspace.lake.timezone)))
