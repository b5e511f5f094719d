"""The evidence pack as a ZIP to take away: texts, CSV and JSON, with a manifest of SHA-256. Same state, same bytes.

Who asked and when does not stand in the files: the taking stands in the log, with the manifest's digest.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services import audit, evidence
from services.access import Viewer, require, require_own_eyes
from services.evidence import Evidence
from services.exports import safe_text
from services.sources import Sources

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Taken:
    """A file to take away: its name and its bytes."""

    filename: str
    content: bytes


def take(viewer: Viewer, sources: Sources, day: date | None = None) -> Taken:
    """The pack of a day as a ZIP. Nobody takes it from another's view; the taking is an event before it leaves."""
    require(viewer, "audit:read")
    require(viewer, "policy:read")
    require_own_eyes(viewer)
    found = evidence.pack(viewer, sources, day)
    files = files_of(found)
    content = zipped(files, found.day)
    detail = {"files": len(files), "manifest": hashlib.sha256(files[MANIFEST]).hexdigest()}
    audit.record(viewer, sources, "evidence.take", found.day.isoformat(), detail=detail)
    return Taken(f"evidence-{found.day.isoformat()}.zip", content)


def files_of(found: Evidence) -> dict[str, bytes]:
    """Every file of the pack by its name, the manifest last."""
    files = {f"policy/{name}": text.encode() for name, text in found.files.items()}
    files["policy.txt"] = _policy(found).encode()
    files["people-and-actions.csv"] = _csv(
        ["person", "e_mail", "role", "may_sign_in", "attributes", *(action for action, _ in found.actions)],
        (
            [p.name, p.email, p.role, _yes(p.active), _held(p.held), *(_yes(a in p.grants) for a, _ in found.actions)]
            for p in found.people
        ),
    )
    files["reviews.csv"] = _csv(
        ["person", "e_mail", "reviewed_at", "reviewed_by", "note", "waits_because"],
        ([p.name, p.email, _time(p.reviewed_at), p.reviewed_by, p.note, p.due] for p in found.people),
    )
    files["changes.csv"] = _csv(
        ["event", "at", "by", "by_e_mail", "through_the_eyes_of", "what", "of", "before_and_after"],
        (
            [str(c.event), _time(c.at), c.name, c.person, c.through, c.said, c.of, " | ".join(c.steps)]
            for c in found.changes.lines
        ),
    )
    files["models.csv"] = _csv(
        ["model", "label", "registered", "version", "artefact_sha256", "scored_at"],
        ([m.model, m.label, m.registered, m.version, m.digest, _time(m.scored_at)] for m in found.models),
    )
    files["model-decisions.csv"] = _csv(
        ["event", "at", "of", "version", "what", "by"],
        ([str(d.event), _time(d.at), d.of, d.version, d.what, d.by] for d in found.decided),
    )
    files["chain.json"] = _json(
        {
            "sealed": found.chain.sealed,
            "anchored": found.chain.anchored,
            "anchor": found.chain.anchor,
            "problem": found.chain_problem,
        }
    )
    return {**dict(sorted(files.items())), MANIFEST: _manifest(found, files)}


def zipped(files: dict[str, bytes], day: date) -> bytes:
    """A ZIP of these files, each of them dated by the day."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (max(1980, day.year), day.month, day.day, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, content)
    return out.getvalue()


def _manifest(found: Evidence, files: dict[str, bytes]) -> bytes:
    held = {n: {"sha256": hashlib.sha256(c).hexdigest(), "bytes": len(c)} for n, c in sorted(files.items())}
    changes = {"listed": len(found.changes.lines), "kept_without_content": found.changes.retired}
    about = {"workspace": found.workspace, "day": found.day.isoformat(), "time_zone": found.zone}
    return _json({**about, "policy": found.digest, "files": held, "changes": changes})


def _policy(found: Evidence) -> str:
    """The policy in words: what each role may do, which rows it sees and which columns it never sees."""
    lines = [f"Policy of {found.workspace} at the end of {found.day.isoformat()}"]
    if found.policy_since is not None:
        lines += [f"Digest {found.digest}", f"In force since {_time(found.policy_since)}"]
    lines += [found.missing] if found.missing else []
    words = dict(found.actions)
    for role in found.roles:
        lines += ["", role.label, *(f"  may: {words.get(a, a)} ({a})" for a in role.actions)]
        lines += [f"  rows of {', '.join(r.datasets)}: {r.rule}" for r in role.rows]
        lines += [f"  columns: {role.masked}"]
        lines += [f"  hidden of {dataset}: {', '.join(columns)}" for dataset, columns in role.hidden]
    return "\n".join(lines) + "\n"


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe_text(name) for name in head])
    writer.writerows([safe_text(cell) for cell in row] for row in rows)
    return ("\ufeff" + out.getvalue()).encode()


def _json(said: object) -> bytes:
    return (json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _held(held: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{label}: {values}" for label, values in held)


def _yes(said: bool) -> str:
    return "yes" if said else ""


def _time(at: datetime | None) -> str:
    return at.astimezone(ZoneInfo("UTC")).isoformat(timespec="seconds") if at else ""
