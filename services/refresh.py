"""Publication: bring every dataset whose files changed into the published lake, one by one.

A broken dataset never stops the others, and what attaches from it keeps its last version. Runs in the worker (or the
operator's terminal), not in a web process; it has no viewer, and writes what it does into the audit log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from data import audit_log, lake_delta, publications
from data.publication import Published, Rejected, check_and_publish, publication_order, source_fingerprint
from data.tables import Publication
from services import jobs
from services.sources import Sources

WORKER = "lakelight"


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did: datasets published, left alone because nothing changed, still to come, and held back."""

    published: tuple[str, ...]
    unchanged: tuple[str, ...]
    awaited: tuple[str, ...]
    held_back: tuple[tuple[str, str], ...]


def refresh(
    sources: Sources, *, only: tuple[str, ...] | None = None, say: Callable[[str], None] | None = None
) -> Refreshed:
    """Publish what changed. ``say`` hears a sentence for each dataset."""
    done: dict[str, list[str]] = {"published": [], "unchanged": [], "awaited": []}
    held: list[tuple[str, str]] = []
    for name in publication_order(sources.workspace.lake):
        if only is not None and name not in only:
            continue
        outcome = refresh_dataset(sources, name)
        if isinstance(outcome, Rejected):
            held.append((name, outcome.reason))
        else:
            done[outcome].append(name)
        if say:
            say(f"{name}: {outcome.reason if isinstance(outcome, Rejected) else outcome}")
    return Refreshed(tuple(done["published"]), tuple(done["unchanged"]), tuple(done["awaited"]), tuple(held))


def refresh_dataset(sources: Sources, name: str) -> Rejected | str:
    """Publish one dataset if its files changed: "published", "unchanged", "awaited" (the demo is still making its
    file, or making it anew), or why it was held back.
    """
    lake = sources.workspace.lake
    known, current, being_made = _known(sources)
    attached, fingerprint = _state(sources, name, current)
    if name in current and fingerprint and current[name].source_fingerprint == fingerprint:
        _settle(sources, name)
        return "unchanged"
    if being_made and _is_awaited(sources, name, fingerprint, current):
        return "awaited"
    made = check_and_publish(
        lake, name, raw=sources.settings.lake, published=sources.settings.published, attached=attached
    )
    if isinstance(made, Rejected):
        if being_made:
            return "awaited"
        _hold_back(sources, made)
        return made
    if name in known:
        version = lake_delta.above(sources.settings.published, name, known[name].version)
        made = replace(made, version=version)
    _point_to(sources, made)
    return "published"


def changed(sources: Sources) -> dict[str, tuple[int, str]]:
    """Datasets whose files differ from the published version: name → (published version or -1, new fingerprint).

    Those that the demo is still making are left out. One whose published folder was lost is published again. One whose
    held-back file was put back as it was, its time included, is named too: it is well again.
    """
    known, current, being_made = _known(sources)
    with sources.store.read() as session:
        held = {q.dataset: q.id for q in publications.open_quarantine(session)}
    found = {}
    for name in publication_order(sources.workspace.lake):
        fingerprint = _state(sources, name, current)[1]
        if being_made and _is_awaited(sources, name, fingerprint, current):
            continue
        if name in known and name not in current:
            found[name] = (known[name].version, f"lost, {fingerprint}")
        elif name not in current or current[name].source_fingerprint != fingerprint:
            found[name] = (current[name].version if name in current else -1, fingerprint)
        elif name in held:
            found[name] = (current[name].version, f"held back {held[name]}, {fingerprint}")
    return found


def _known(sources: Sources) -> tuple[dict[str, Publication], dict[str, Publication], bool]:
    """Publications by dataset, those of them whose files are there, and whether the demo is being made."""
    with sources.store.read() as session:
        known = publications.all_current(session)
        being_made = jobs.building(session)
    root = sources.settings.published
    return known, {name: p for name, p in known.items() if lake_delta.is_there(root, name)}, being_made


def _is_awaited(sources: Sources, name: str, fingerprint: str, current: dict[str, Publication]) -> bool:
    """Was it never published, while its file or what it attaches from is still to come?"""
    needed = {a.dataset for a in sources.workspace.lake.datasets[name].attach}
    return name not in current and (not fingerprint or not needed <= set(current))


def _state(sources: Sources, name: str, current: dict[str, Publication]) -> tuple[dict[str, int], str]:
    """The versions a dataset attaches from, and the fingerprint of its files with them ("" without files)."""
    dataset = sources.workspace.lake.datasets[name]
    attached = {a.dataset: current[a.dataset].version for a in dataset.attach if a.dataset in current}
    return attached, source_fingerprint(dataset, sources.settings.lake, attached)


def _settle(sources: Sources, name: str) -> None:
    """A file that was held back was put back as it was: nothing is wrong with the dataset any more."""
    with sources.store.read() as session:
        held = publications.open_quarantine(session, name)
    if held:
        with sources.store.begin() as session:
            publications.resolve(session, name, sources.clock())


def _point_to(sources: Sources, made: Published) -> None:
    at = sources.clock()
    with sources.store.begin() as session:
        publications.publish(
            session,
            Publication(
                dataset=made.dataset,
                version=made.version,
                rows=made.rows,
                columns=dict(made.columns),
                source_fingerprint=made.fingerprint,
                newest=made.newest,
                published_at=at,
            ),
        )
        publications.resolve(session, made.dataset, at)
        audit_log.record(
            session,
            at=at,
            person_id=None,
            person=WORKER,
            act="dataset.publish",
            resource=made.dataset,
            detail={"version": made.version, "rows": made.rows},
        )


def _hold_back(sources: Sources, made: Rejected) -> None:
    with sources.store.begin() as session:
        publications.quarantine(session, dataset=made.dataset, file=made.file, reason=made.reason, at=sources.clock())
