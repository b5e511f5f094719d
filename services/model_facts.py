"""What the registry and the log say of a model: its state, versions, training facts, test figures, approvals, inputs.

Facts of the model itself are the same for every viewer, without masked columns (law 2). A card that came with a model
is read as data from outside: what is not of the expected form is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from data import catalogue_log, model_log, people
from data import jobs as job_log
from data.definitions import ModelUse
from data.tables import CatalogueVersion
from models.performance import Interval
from models.replaying import Judgement
from services import access, explanations, jobs, model_words, runs, wording
from services.access import Viewer
from services.model_answers import (
    Approval,
    ImportanceBar,
    ImportancePart,
    MetricLine,
    MetricPart,
    Note,
    Problem,
    State,
    Tone,
    VersionLine,
)
from services.runs import Run
from services.sources import Sources

FEWEST_ROWS = 20
BARS = 10
WORK = ("build", "sync", "score", "publish")
STATES: dict[str, tuple[str, Tone]] = {
    "admitted": ("Admitted", "good"),
    "refused": ("Refused", "bad"),
    "waiting": ("Waiting", "watch"),
}
MOST_APPROVALS = 6
ACTS = {
    "model.admit": "Version {version} passed the checks",
    "model.refuse": "Version {version} was refused",
    "model.promote": "Version {version} became the champion",
    "model.rollback": "Version {version} was brought back",
    "scores.publish": "Scores of version {version} published",
}


@dataclass(frozen=True)
class Facts:
    """What is known of a model besides rows: its run, its versions, the one that serves, the one compared with it."""

    name: str
    use: ModelUse
    run: Run | None
    versions: tuple[CatalogueVersion, ...]
    aliased: CatalogueVersion | None
    serving: CatalogueVersion | None
    challenger: CatalogueVersion | None
    work: str

    @property
    def card(self) -> Mapping[str, Any]:
        """The card of the version that serves."""
        found = self.serving.card if self.serving is not None else {}
        return found if isinstance(found, Mapping) else {}


def facts_of(sources: Sources, name: str) -> Facts:
    """Everything the catalogue knows of a model of the workspace."""
    use = sources.workspace.models.models[name]
    run = runs.current_run(sources, name)
    with sources.store.read() as session:
        versions = tuple(catalogue_log.versions(session, use.registered))
        open_ = [j for j in job_log.with_state(session, *job_log.OPEN) if j.kind in WORK]
    aliased = next((v for v in versions if use.alias in v.aliases), None)
    serving = aliased if run is None else next((v for v in versions if v.version == run.version), None)
    challenger = next((v for v in versions if use.challenger and use.challenger in v.aliases), None)
    other = challenger if challenger is not None and challenger is not serving else None
    running = next((j for j in open_ if j.state == "running"), next(iter(open_), None))
    work = f"{jobs.LABELS.get(running.kind, running.kind)}: {running.message}" if running is not None else ""
    return Facts(name, use, run, versions, aliased, serving, other, work)


# ── state ─────────────────────────────────────────────────────────────────────────────────────────


def state_of(facts: Facts, blocked: str = "") -> State:
    """Where a model stands, in words. ``blocked`` says why the rows it scores are not there, "" where they are."""
    if facts.run is not None:
        return State("in_use", "In use", "good")
    found = facts.aliased
    if found is None:
        if facts.work:
            return State("building", "Being prepared", "watch", "Its models are being prepared.", facts.work)
        missing = f"The registry has no version of {facts.use.registered} with the alias {facts.use.alias}."
        return State("missing", "Not registered", "bad", missing, "Register one, or set the alias.")
    if found.state == "refused":
        return State(
            "refused", "Refused", "bad", f"Version {found.version} is refused: {found.reason}", found.next_step
        )
    what = "its first scores are being computed" if found.state == "admitted" else "it is checked before it is used"
    next_step = blocked or facts.work or "It appears here when it is done."
    return State("building", "Being prepared", "watch", f"Version {found.version} is known; {what}.", next_step)


def notes_of(facts: Facts) -> tuple[Note, ...]:
    """Versions that an alias points to and that are not used, and a refusal of the one in use: reason, what to do."""
    found = []
    if facts.run is not None and facts.serving is not None and facts.serving.state == "refused":
        said = f"{facts.run.refusal} {facts.serving.reason}".strip()
        found.append(Note(said, facts.serving.next_step, "bad"))
    serves = f" Version {facts.run.version} serves on." if facts.run is not None else ""
    for version in (facts.aliased, facts.challenger):
        if version is None or version is facts.serving:
            continue
        role = "challenger" if version is facts.challenger else "new champion"
        if version.state == "refused":
            said = f"Version {version.version}, the {role}, is refused: {version.reason}{serves}"
            found.append(Note(said, version.next_step, "bad"))
        elif version.state == "waiting" and serves:
            said = f"Version {version.version}, the {role}, waits: {version.reason}{serves}"
            found.append(Note(said, version.next_step, "watch"))
    if facts.run is not None and facts.run.newer:
        found.append(Note(facts.run.newer, "These figures are those of the last run.", "watch"))
    return tuple(found)


def version_lines(facts: Facts, zone: str) -> tuple[VersionLine, ...]:
    """Every known version, the newest first."""
    made = []
    for version in facts.versions:
        word, tone = STATES.get(version.state, (version.state, ""))
        made.append(
            VersionLine(
                version=version.version,
                aliases=tuple(str(a) for a in version.aliases),
                state=word,
                tone=tone,
                reason=version.reason or ("It passed the checks." if version.state == "admitted" else ""),
                next_step=version.next_step,
                trained=wording.moment(version.trained_at, zone) if version.trained_at else "not known",
                serves=facts.run is not None and version is facts.serving,
            )
        )
    return tuple(made)


def approvals(sources: Sources, facts: Facts) -> tuple[Approval, ...]:
    """Who let this model's versions and scores through, the newest first; what was done again stands once."""
    resources = [facts.name, *(f"{v.registered}/{v.version}" for v in facts.versions)]
    with sources.store.read() as session:
        events = model_log.newest(session, resources)
        names = {p.id: p.name for p in people.everyone(session)} if any(e.person_id for e in events) else {}
    made: dict[tuple[str, str], Approval] = {}
    for event in events:
        number = str(event.detail.get("version") or event.resource.rpartition("/")[2])
        who = names.get(event.person_id or 0) or (event.person if event.person_id else "Lakelight")
        when = wording.moment(event.at, sources.workspace.lake.timezone)
        what = ACTS.get(event.act, event.act).format(version=number)
        made.setdefault((what, who), Approval(when, what, who))
    return tuple(made.values())[:MOST_APPROVALS]


# ── the card that came with the version ───────────────────────────────────────────────────────────


def about(sources: Sources, facts: Facts) -> tuple[tuple[str, str], ...]:
    """Purpose, data and training in a few lines; only what is known."""
    use, card = facts.use, facts.card
    used, unused = _sensitive(sources, facts)
    sensitive = f"{', '.join(used)} used" if used else "None used"
    if unused:
        sensitive += f". Not used: {', '.join(unused)}"
    lines = [
        ("Purpose", use.purpose),
        ("Not for", use.not_for),
        ("Predicts", _begun(use.target)),
        ("Data", _text(card, "data")),
        ("Learnt from", _counted(_period(card), card, "train_rows")),
        ("Tested on", _counted(_begun(_text(card, "tested_on")), card, "test_rows")),
        ("Sensitive inputs", f"{sensitive}."),
        ("Made with", _text(card, "library") or (facts.serving.format if facts.serving else "")),
        ("Owner", use.owner),
    ]
    return tuple((term, said) for term, said in lines if said)


def _begun(said: str) -> str:
    return said[:1].upper() + said[1:]


def limits(facts: Facts) -> tuple[str, ...]:
    """What the workspace and the card say it cannot do."""
    said = facts.card.get("limits")
    own = [str(s) for s in said if isinstance(s, str)] if isinstance(said, list | tuple) else []
    return tuple(dict.fromkeys((*facts.use.limits, *own)))


def trained_to(facts: Facts) -> str:
    """The last day of the training data, "" where it is not known."""
    return _day(facts.card.get("trained_to"))


def tested_on(facts: Facts) -> str:
    """What it was tested on, in the card's words."""
    return _text(facts.card, "tested_on")


def _sensitive(sources: Sources, facts: Facts) -> tuple[list[str], list[str]]:
    said = facts.card.get("sensitive")
    if isinstance(said, Mapping):
        both = [said.get(k) for k in ("used", "not_used")]
        return tuple([str(s) for s in part] if isinstance(part, list | tuple) else [] for part in both)  # type: ignore[return-value]
    use = facts.use
    columns = sources.workspace.lake.datasets[use.scored.dataset].columns
    prefixes = tuple(f.one_hot for f in use.features.values() if f.one_hot)
    named = {c for c in columns if c in use.features or (prefixes and c.startswith(prefixes))}
    used = {f.label for f in use.features.values() if f.privacy == "sensitive"}
    used |= {about.label for c, about in columns.items() if about.privacy == "sensitive" and c in named}
    unused = {about.label for c, about in columns.items() if about.privacy == "sensitive" and c not in named}
    return sorted(used), sorted(unused - used)


def _text(card: Mapping[str, Any], key: str) -> str:
    said = card.get(key)
    return said.strip() if isinstance(said, str) else ""


def _period(card: Mapping[str, Any]) -> str:
    first, last = _day(card.get("trained_from")), _day(card.get("trained_to"))
    return f"{first} to {last}" if first and last else last and f"up to {last}"


def _day(said: Any) -> str:
    try:
        return wording.day(date.fromisoformat(str(said)[:10]))
    except ValueError:
        return ""


def _counted(said: str, card: Mapping[str, Any], key: str) -> str:
    rows = card.get(key)
    if not isinstance(rows, int) or isinstance(rows, bool):
        return said
    counted = f"{rows:,} rows" if rows >= FEWEST_ROWS else f"fewer than {FEWEST_ROWS} rows"
    return f"{said}; {counted}" if said else counted


# ── figures of the test ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Figure:
    name: str
    label: str
    found: Interval
    better: str
    unit: str | None
    note: str


def metrics(sources: Sources, facts: Facts, *, versus: bool) -> MetricPart | None:
    """The figures out of time beside the simplest rule's, and the challenger's where asked for; None without any."""
    own, rule = _figures(facts.card, "metrics"), _figures(facts.card, "baseline_metrics")
    other = facts.challenger if versus else None
    theirs = _figures(other.card, "metrics") if other is not None else {}
    names = list(dict.fromkeys((*own, *theirs)))
    if not names:
        return None
    lines = [_metric_line(sources, own.get(n), theirs.get(n), rule.get(n), versus=other is not None) for n in names]
    return MetricPart(
        lines=tuple(lines),
        tested_on=_counted(tested_on(facts), facts.card, "test_rows"),
        with_rule=bool(rule),
        with_challenger=other is not None,
        remark=_remark(facts, other),
        challenger_version=other.version if other is not None else "",
    )


def tested_verdict(sources: Sources, facts: Facts) -> tuple[str, Tone]:
    """What the first figure of the test says beside the simplest rule."""
    own, rule = _figures(facts.card, "metrics"), _figures(facts.card, "baseline_metrics")
    for name, found in own.items():
        if name in rule and found.better in ("up", "down"):
            texts = (_figure_text(sources, found), _figure_text(sources, rule[name]))
            return model_words.tested_verdict(_beside(found, rule[name]), found.label, *texts)
    return model_words.tested_verdict(None, "", "", "")


def _remark(facts: Facts, other: CatalogueVersion | None) -> str:
    if other is None:
        return ""
    same = all(facts.card.get(k) == (other.card or {}).get(k) for k in ("tested_on", "test_rows"))
    first = (
        "Both versions were tested on the same rows."
        if same
        else "The two versions were tested on different rows, so their figures do not compare one to one."
    )
    return f"{first} The rest of this page is about the champion only: the challenger has not scored your rows."


def _metric_line(
    sources: Sources, own: _Figure | None, other: _Figure | None, rule: _Figure | None, *, versus: bool
) -> MetricLine:
    named = own or other
    assert named is not None  # noqa: S101  the name comes from one of the two
    against, whom = (other, "the challenger") if versus else (rule, "the rule")
    verdict = ""
    if own is not None and against is not None and own.better in ("up", "down"):
        judged = _beside(own, against)
        verdict = {"better": f"better than {whom}", "worse": f"{whom} is better", "same": "the ranges overlap"}[judged]
    texts = [_range_text(sources, f) if f is not None else "" for f in (own, other, rule)]
    return MetricLine(named.label, texts[0], texts[1], texts[2], verdict, named.note)


def _beside(own: _Figure, other: _Figure) -> Judgement:
    """Clear only where the two ranges do not meet; this asks for more than a paired test would."""
    if own.found.low > other.found.high:
        return "better" if own.better == "up" else "worse"
    if own.found.high < other.found.low:
        return "worse" if own.better == "up" else "better"
    return "same"


def _figures(card: Mapping[str, Any], key: str) -> dict[str, _Figure]:
    """Figures that a card brings; those of a test on fewer than twenty rows would speak of single ones."""
    rows = card.get("test_rows") if isinstance(card, Mapping) else None
    if isinstance(rows, int) and not isinstance(rows, bool) and rows < FEWEST_ROWS:
        return {}
    said = card.get(key) if isinstance(card, Mapping) else None
    found = [_figure(one) for one in said] if isinstance(said, list | tuple) else []
    return {one.name: one for one in found if one is not None}


def _figure(said: Any) -> _Figure | None:
    if not isinstance(said, Mapping):
        return None
    name, value = said.get("name"), _number(said.get("value"))
    if not isinstance(name, str) or value is None:
        return None
    low, high = _number(said.get("low")), _number(said.get("high"))
    unit = said.get("unit")
    return _Figure(
        name=name,
        label=str(said.get("label") or name),
        found=Interval(value, value if low is None else low, value if high is None else high),
        better=str(said.get("better") or "up"),
        unit=unit if isinstance(unit, str) else None,
        note=str(said.get("note") or ""),
    )


def _number(said: Any) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        return None
    return float(said)


def _figure_text(sources: Sources, figure: _Figure) -> str:
    return _shown(sources, figure, figure.found.value)


def _range_text(sources: Sources, figure: _Figure) -> str:
    value = _figure_text(sources, figure)
    if figure.found.low == figure.found.high:
        return value
    ends = [_shown(sources, figure, end) for end in (figure.found.low, figure.found.high)]
    return f"{value} ({model_words.interval(*ends)})"


def _shown(sources: Sources, figure: _Figure, value: float) -> str:
    decimals = 3 if figure.unit is None and abs(figure.found.value) < 1 else None
    if figure.unit is None and abs(value) >= 10:
        decimals = 0
    return wording.shown(value, figure.unit, decimals, sources.workspace.lake).text


# ── what it looks at ──────────────────────────────────────────────────────────────────────────────


def importance(viewer: Viewer, sources: Sources, facts: Facts) -> ImportancePart | Problem:
    """Mean |SHAP| by feature as shares of everything that moves the scores, over all scored rows of the company.

    Hidden features stand only inside "other information", with the visible ones that are folded with them everywhere.
    """
    run, use = facts.run, facts.use
    total = math.fsum(run.importance.values()) if run is not None else 0.0
    if run is None or total <= 0:
        return Problem("What it looks at is not computed yet.", "It appears with the next score run.")
    if run.rows < FEWEST_ROWS:
        return Problem("Too few rows were scored to say what it looks at.", f"It needs {FEWEST_ROWS} rows.")
    hidden = explanations.hidden_features(viewer, use)
    named = explanations.named_features(use, hidden, run.importance)
    foreign = set(run.importance) - set(use.features) - access.masks(viewer, use.scored.dataset)
    ranked = sorted(run.importance.items(), key=lambda pair: (-pair[1], pair[0]))
    visible = [p for p in ranked if p[0] in named or p[0] in foreign]
    keep = BARS if len(visible) == len(ranked) <= BARS else BARS - 1
    shown, folded = visible[:keep], [p for p in ranked if p not in visible[:keep]]
    bars = [_importance_bar(sources, use, name, (value, total)) for name, value in shown]
    if folded:
        rest = math.fsum(value for _, value in folded)
        label = f"Other information ({len(folded)} inputs)" if hidden else f"{len(folded)} other inputs"
        bars.append(ImportanceBar(label, rest / total, _share_text(sources, rest / total), "All that is left.", True))
    first = _input_label(sources, use, shown[0][0]) if shown else ""
    source = (
        f"Mean size of the contributions over all {wording.count(run.rows, use.words.entity)} of the company "
        "that version {version} scored."
    )
    return ImportancePart(_importance_title(first, shown, total), tuple(bars), source.format(version=run.version))


def _importance_bar(sources: Sources, use: ModelUse, name: str, sizes: tuple[float, float]) -> ImportanceBar:
    value, total = sizes
    feature = use.features.get(name)
    unit = "log-odds" if use.task == "classification" else "units of the prediction"
    detail = f"{feature.description} " if feature is not None and feature.description else ""
    label = _input_label(sources, use, name)
    text = _share_text(sources, value / total)
    return ImportanceBar(label, value / total, text, f"{detail}Mean |SHAP| {value:.3g} in {unit}.")


def _share_text(sources: Sources, share: float) -> str:
    return wording.shown(share, "percent", None, sources.workspace.lake).text


def _input_label(sources: Sources, use: ModelUse, name: str) -> str:
    """An input in the workspace's words: its feature's label, else its column's, else its name."""
    columns = sources.workspace.lake.datasets[use.scored.dataset].columns
    if name in use.features:
        return use.features[name].label
    return columns[name].label if name in columns else name


def _importance_title(first: str, shown: list[tuple[str, float]], total: float) -> str:
    if not shown:
        return "What it looks at is hidden from you."
    reached = 0.0
    for count, (_, value) in enumerate(shown, 1):
        reached += value
        if reached >= total / 2:
            half = "alone makes" if count == 1 else f"and {count - 1} more make"
            return f"{first} {half} up half of what moves the score."
    return f"{first} moves the score most."
