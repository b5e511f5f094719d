"""Registry sync and admission: the catalogue follows the registry, and a version is used only once it was admitted.

Runs in the worker or the operator's terminal, never in a web process: it imports the registry's client and starts the
process in which a model is tried. What it does stands in the audit log.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy.orm import Session

from data import audit_log, catalogue_log, model_log, publications
from data.definitions import ModelUse
from data.questions import Everything, Select, Table
from data.tables import CatalogueVersion
from models import admission
from models.admission import Admitted, Refused
from models.artefacts import ArtefactMissing
from models.registry import RegisteredVersion, RegistryDown, RegistryProblem
from services import jobs, score_tables
from services.sources import Sources

WORKER = "lakelight"
DIGEST_TAG = "lakelight_digest"
LIBRARIES = ("lightgbm", "xgboost-cpu", "scikit-learn", "skops")
TRIED_ROWS = 2_000

__all__ = ["DIGEST_TAG", "RegistryDown", "Synced", "admit_version", "change", "sync"]


@dataclass(frozen=True)
class Synced:
    """What a sync found, in a sentence ("" where nothing changed), and the versions to admit, as ``name/number``."""

    sentence: str
    to_admit: tuple[str, ...]


def change(sources: Sources) -> str:
    """What differs between the registry and the catalogue, as text; "" where nothing does.

    The last sync and the last decision stand in it: an alias that goes where it was once before is a new change. A
    registry that does not answer is a change too, once a day: the job that follows from it says so.
    """
    names = _names(sources)
    if not names:
        return ""
    try:
        seen = sources.registry.registered(names)
    except RegistryDown:
        return "" if jobs.being_built(sources) else f"no answer {sources.clock():%Y-%m-%d}"
    with sources.store.read() as session:
        known = {(v.registered, v.version): v for v in catalogue_log.versions(session)}
    moved = [
        f"{v.name}/{v.version} {','.join(v.aliases)}"
        for v in seen
        if (v.name, v.version) not in known or tuple(known[v.name, v.version].aliases) != v.aliases
    ]
    gone = sorted({key for key, v in known.items() if v.aliases} - {(v.name, v.version) for v in seen})
    untried = _untried(sources, seen, known)
    if not (moved or gone or untried):
        return ""
    stands = {f"{registered}/{number}": v.tried for (registered, number), v in known.items()}
    altered = [name for name, tried in untried if stands.get(name) != tried]
    return repr((moved, gone, [f"{name} {tried}" for name, tried in untried], _before(sources, altered)))


def sync(sources: Sources) -> Synced:
    """Bring the catalogue up to the registry: versions, aliases, metrics. Raises ``RegistryDown``.

    Versions that an alias of the workspace points to are to be admitted, unless they are; refused ones are tried again.
    """
    names = _names(sources)
    seen = sources.registry.registered(names) if names else ()
    with sources.store.begin() as session:
        known = {(v.registered, v.version): v for v in catalogue_log.versions(session)}
        told = [_note(session, sources, version, known.get((version.name, version.version))) for version in seen]
        told += _forget(session, known, seen)
        said = [t for t in told if t]
        if said:
            _record(session, sources, "registry.sync", "", detail={"changes": said[:50]})
        known = {(v.registered, v.version): v for v in catalogue_log.versions(session)}
        refused = {f"{v.registered}/{v.version}" for v in known.values() if v.state == "refused"}
    to_admit = {name for name, _ in _untried(sources, seen, known)} | (refused & {n for n, _ in _used(sources, seen)})
    missing = [] if jobs.being_built(sources) else unresolved(sources, seen)
    return Synced(" ".join([*said, *missing]), tuple(sorted(to_admit)))


def admit_version(sources: Sources, registered: str, number: str) -> str:
    """Try one version and write down whether it was admitted; gives the sentence of what happened. May be repeated."""
    versions = sources.registry.registered((registered,))
    version = next((v for v in versions if v.version == number), None)
    uses = [use for use in _uses(sources, registered) if version and {use.alias, use.challenger} & set(version.aliases)]
    if version is None or not uses:
        return f"No alias of the workspace points to version {number} of {registered} any more."
    use = min(uses, key=lambda u: u.alias not in version.aliases)
    tried = _fingerprint(sources, use, version)
    rows = _rows(sources, use)
    if rows is None:
        label = sources.workspace.lake.datasets[use.scored.dataset].label
        return _wait(sources, version, f"It waits until {label} is published.")
    if rows.empty:
        label = sources.workspace.lake.datasets[use.scored.dataset].label
        return _wait(sources, version, f"It waits until {label} has a row to try it on.")
    if _stands(sources, version, tried):
        return f"Version {number} of {use.label} is admitted."
    made, files = _try(sources, use, version, rows)
    with sources.store.begin() as session:
        facts: dict[str, Any] = {"tried": tried, "files": files, "seen_at": sources.clock()}
        if isinstance(made, Admitted):
            facts |= _admitted(made)
        else:
            facts |= {"state": "refused", "reason": made.reason, "next_step": made.next_step}
        catalogue_log.put(session, registered, number, **facts)
        refused = made.reason if isinstance(made, Refused) else ""
        act = "model.refuse" if refused else "model.admit"
        _record(session, sources, act, f"{registered}/{number}", detail={"reason": refused, "digest": files})
    if isinstance(made, Refused):
        return f"Version {number} of {use.label} is refused: {made.reason} {made.next_step}".strip()
    return f"Version {number} of {use.label} is admitted."


def problems(sources: Sources) -> list[str]:
    """Models and aliases that the registry lacks, and versions in use that were refused, each in a sentence."""
    names = _names(sources)
    seen = sources.registry.registered(names) if names else ()
    with sources.store.read() as session:
        known = {f"{v.registered}/{v.version}": v for v in catalogue_log.versions(session)}
    refused = [
        f"Version {version.version} of {use.label} is refused: {known[name].reason} {known[name].next_step}".strip()
        for name, (use, version) in _used(sources, seen)
        if name in known and known[name].state == "refused"
    ]
    return [*unresolved(sources, seen), *refused]


def _try(
    sources: Sources, use: ModelUse, version: RegisteredVersion, rows: pd.DataFrame
) -> tuple[Admitted | Refused, str]:
    """The verdict on a version, and the digest of its files; they must be those seen before."""
    with sources.store.read() as session:
        known = {v.version: v for v in catalogue_log.versions(session, version.name)}.get(version.version)
    expected = str(version.tags.get(DIGEST_TAG, "")) or (known.files if known else "")
    with tempfile.TemporaryDirectory(prefix="lakelight-model-") as folder:
        try:
            files = sources.registry.download(version, Path(folder))
        except RegistryDown:
            raise
        except RegistryProblem as problem:
            return Refused(str(problem), "Register it again, or bring its files back."), expected
        made = admission.admit(
            files,
            task=use.task,
            positive=use.positive,
            features=use.features,
            rows=rows,
            artefacts=sources.settings.artefacts,
            expected=expected,
        )
        return made, expected or admission.digest_of(files)


def _rows(sources: Sources, use: ModelUse) -> pd.DataFrame | None:
    """Rows that the model will score, to try it on; None before the dataset is published."""
    with sources.store.read() as session:
        published = publications.current(session, use.scored.dataset)
    if published is None:
        return None
    table = Table(use.scored.dataset, published.version)
    wanted = score_tables.condition_filter(use.scored.where)
    question = Select(table, tuple(sources.lake.schema(table).names), wanted, limit=TRIED_ROWS)
    rows = sources.lake.read(question, where=Everything())
    return pd.DataFrame({name: score_tables.series(rows.column(name)) for name in rows.column_names})


def _admitted(made: Admitted) -> dict[str, Any]:
    return {
        "state": "admitted",
        "reason": "",
        "next_step": "",
        "digest": made.digest,
        "format": made.format,
        "profile": made.profile.as_json() if made.profile else {},
        "card": dict(made.card),
    }


def _stands(sources: Sources, version: RegisteredVersion, tried: str) -> bool:
    """Was this version admitted already, as it stands now?"""
    with sources.store.read() as session:
        known = {v.version: v for v in catalogue_log.versions(session, version.name)}.get(version.version)
    return known is not None and known.state == "admitted" and known.tried == tried and _kept(sources, known.digest)


def _wait(sources: Sources, version: RegisteredVersion, reason: str) -> str:
    with sources.store.begin() as session:
        catalogue_log.put(session, version.name, version.version, state="waiting", reason=reason)
    return f"Version {version.version} of {version.name} is not tried yet. {reason}"


def _names(sources: Sources) -> tuple[str, ...]:
    return tuple(sorted({use.registered for use in sources.workspace.models.models.values()}))


def _uses(sources: Sources, registered: str) -> list[ModelUse]:
    return [use for use in sources.workspace.models.models.values() if use.registered == registered]


def _used(
    sources: Sources, seen: Sequence[RegisteredVersion]
) -> Iterator[tuple[str, tuple[ModelUse, RegisteredVersion]]]:
    """Versions that an alias of the workspace points to, with the use that reads them."""
    for version in seen:
        uses = [u for u in _uses(sources, version.name) if {u.alias, u.challenger} & set(version.aliases)]
        if uses:
            yield (
                f"{version.name}/{version.version}",
                (min(uses, key=lambda u: u.alias not in version.aliases), version),
            )


def _untried(
    sources: Sources, seen: Sequence[RegisteredVersion], known: dict[tuple[str, str], CatalogueVersion]
) -> list[tuple[str, str]]:
    """Versions to try: new ones, ones whose surroundings changed, ones whose admitted files are gone."""
    found = []
    with sources.store.read() as session:
        published = publications.all_current(session)
    for name, (use, version) in _used(sources, seen):
        if use.scored.dataset not in published:
            continue
        tried, last = _fingerprint(sources, use, version), known.get((version.name, version.version))
        if last is None or last.tried != tried or (last.state == "admitted" and not _kept(sources, last.digest)):
            found.append((name, tried))
    return found


def _before(sources: Sources, names: Sequence[str]) -> tuple[int, ...]:
    """The events that made the catalogue what it is: the last sync, and the last decision about these versions.

    A look that finds nothing and a version that goes on waiting write no event, so that neither is a new change.
    """
    with sources.store.read() as session:
        last = audit_log.found(session, act="registry.sync", limit=1)[0]
        return tuple(event.id for event in (*last, *model_log.newest(session, names, limit=1)))


def _kept(sources: Sources, digest: str) -> bool:
    try:
        sources.artefacts.manifest(digest)
    except ArtefactMissing:
        return False
    return True


def _fingerprint(sources: Sources, use: ModelUse, version: RegisteredVersion) -> str:
    """What an admission depends on: the version, its digest, how it is used, the dataset's columns, the libraries."""
    with sources.store.read() as session:
        published = publications.current(session, use.scored.dataset)
    said = {
        "version": (version.name, version.version, version.tags.get(DIGEST_TAG, "")),
        "use": use.model_dump(mode="json", include={"task", "positive", "scored", "features"}),
        "columns": sorted(published.columns.items()) if published else [],
        "libraries": [metadata.version(name) for name in LIBRARIES],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _note(session: Session, sources: Sources, version: RegisteredVersion, known: CatalogueVersion | None) -> str:
    """Write what the registry says of a version; gives a sentence where it is new or its aliases moved."""
    facts: dict[str, Any] = {"aliases": list(version.aliases), "seen_at": sources.clock()}
    before = None if known is None else list(known.aliases)
    if known is None:
        facts |= {"state": "waiting", "reason": "It was not tried yet.", "trained_at": version.created_at}
    if version.metrics or known is None:
        facts["metrics"] = dict(version.metrics)
    catalogue_log.put(session, version.name, version.version, **facts)
    aliases = ", ".join(version.aliases) or "no alias"
    if before is None:
        return f"Version {version.version} of {version.name} is new ({aliases})."
    return "" if before == facts["aliases"] else f"Version {version.version} of {version.name} has {aliases} now."


def _forget(
    session: Session, known: dict[tuple[str, str], CatalogueVersion], seen: Sequence[RegisteredVersion]
) -> list[str]:
    """A version that left the registry keeps its row, without aliases: its run serves on until another one is made."""
    gone = [v for key, v in known.items() if key not in {(s.name, s.version) for s in seen} and v.aliases]
    for version in gone:
        catalogue_log.put(session, version.registered, version.version, aliases=[])
    return [f"Version {v.version} of {v.registered} is not in the registry any more." for v in gone]


def unresolved(sources: Sources, seen: Sequence[RegisteredVersion]) -> list[str]:
    """A sentence for each model of the workspace whose name or alias the registry does not have."""
    said = []
    for use in sources.workspace.models.models.values():
        versions = [v for v in seen if v.name == use.registered]
        if not versions:
            said.append(f"{use.label}: the registry has no model named {use.registered}.")
        elif not any(use.alias in v.aliases for v in versions):
            said.append(f"{use.label}: no version of {use.registered} carries the alias {use.alias}.")
    return said


def _record(session: Session, sources: Sources, act: str, resource: str, *, detail: dict[str, Any]) -> None:
    audit_log.record(
        session, at=sources.clock(), person_id=None, person=WORKER, act=act, resource=resource, detail=detail
    )
