"""The registry as last seen: versions, aliases, and whether a version was admitted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.tables import CatalogueVersion


def put(session: Session, registered: str, version: str, **facts: Any) -> CatalogueVersion:
    """Write what is known of a version; a version that is there is brought up to date."""
    found = session.scalar(
        select(CatalogueVersion).where(CatalogueVersion.registered == registered, CatalogueVersion.version == version)
    )
    if found is None:
        found = CatalogueVersion(registered=registered, version=version)
        session.add(found)
    for name, value in facts.items():
        setattr(found, name, value)
    session.flush()
    return found


def versions(session: Session, registered: str | None = None) -> list[CatalogueVersion]:
    """Known versions, by model and then the newest first."""
    wanted = select(CatalogueVersion).order_by(CatalogueVersion.registered, CatalogueVersion.id.desc())
    return list(session.scalars(wanted.where(CatalogueVersion.registered == registered) if registered else wanted))


def with_alias(session: Session, registered: str, alias: str) -> CatalogueVersion | None:
    """The version an alias points to."""
    return next((v for v in versions(session, registered) if alias in v.aliases), None)
