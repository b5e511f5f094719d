"""How much of limited things people used: one row for a person, a thing and a short stretch of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from data.tables import Person, UsageCount


def wait_for_turn(session: Session, person_id: int) -> None:
    """Let nobody else count for this person until the transaction ends; SQLite's writers wait for each other anyway."""
    session.execute(select(Person.id).where(Person.id == person_id).with_for_update(key_share=True))


def amounts(session: Session, keys: Iterable[str]) -> Mapping[str, int]:
    """What was counted under these keys; those without a count are left out."""
    found = session.execute(select(UsageCount.key, UsageCount.amount).where(UsageCount.key.in_(list(keys))))
    return {key: int(amount) for key, amount in found}


def add(session: Session, key: str, amount: int, begins_at: datetime) -> None:
    """Count more under a key. Call it after ``wait_for_turn`` in the same transaction."""
    known = session.get(UsageCount, key)
    if known is None:
        session.add(UsageCount(key=key, begins_at=begins_at, amount=amount))
        session.flush()
    else:
        known.amount += amount


def forget(session: Session, thing: str, *, before: datetime, after: datetime) -> None:
    """Drop the counts of a thing that began before a time, and those that claim to begin after another."""
    old = or_(UsageCount.begins_at < before, UsageCount.begins_at > after)
    session.execute(delete(UsageCount).where(UsageCount.key.startswith(f"{thing}:", autoescape=True), old))
