"""The demo's people: made with the instance, offered on the sign-in page of this machine, let in by one click."""

from __future__ import annotations

import json
import os
import re
import secrets
import unicodedata

from data import people
from services import passwords
from services.accounts import create
from services.sign_in import SignInRefused, open_session
from services.sources import Sources


def sign_in_demo(sources: Sources, *, email: str, address: str, user_agent: str = "") -> str:
    """Open a session of a demo account without its password; the door checks that this is allowed."""
    with sources.store.read() as session:
        person = people.by_email(session, email)
    if (
        person is None
        or not person.demo
        or not person.active
        or not sources.settings.demo
        or not sources.settings.passwords
    ):
        raise SignInRefused("There is no such demo account.", next_step="Choose one of the list.")
    return open_session(sources, person, method="demo", address=address, user_agent=user_agent)


def create_demo_people(sources: Sources) -> int:
    """The demo accounts, one a role and two sellers; passwords are random and kept for the owner's eyes only.

    Gives how many were made. Accounts whose passwords were lost with their file get new ones.
    """
    kept = sources.settings.instance / "demo-accounts.json"
    with sources.store.read() as session:
        known = {p.email for p in people.everyone(session) if p.demo}
    if known and kept.exists():
        return 0
    values = {name: list(a.values) for name, a in sources.workspace.access.attributes.items()}
    made = []
    for role, about in sources.workspace.access.roles.items():
        bound = sorted({r.attribute for g in about.rows for r in g.rules if r.attribute})
        for suffix, attributes in _demo_attributes(role, bound, values):
            email = f"{role.replace('_', '.')}{suffix}@example.com"
            password = secrets.token_urlsafe(15)
            held = ", ".join(v for values_ in attributes.values() for v in values_)
            name = f"{about.label} {held}".strip()
            if email in known:
                _reset(sources, email, password)
            else:
                create(sources, email=email, name=name, role=role, attributes=attributes, password=password, demo=True)
            made.append({"role": role, "email": email, "password": password, "territory": held})
    partial = kept.with_suffix(".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(made, file, indent=2)
    partial.replace(kept)
    return len(made)


def demo_accounts(sources: Sources) -> tuple[tuple[str, str, str, str], ...]:
    """The demo accounts as (e-mail, name, role's label, the question it answers); none outside demo mode."""
    if not sources.settings.demo or not sources.settings.passwords:
        return ()
    roles = sources.workspace.access.roles
    with sources.store.read() as session:
        found = [p for p in people.everyone(session) if p.demo and p.active and p.role in roles]
    order = list(roles)
    found.sort(key=lambda p: (order.index(p.role), p.id))
    return tuple((p.email, p.name, roles[p.role].label, roles[p.role].question) for p in found)


def _demo_attributes(
    role: str, bound: list[str], values: dict[str, list[str]]
) -> list[tuple[str, dict[str, list[str]]]]:
    """One account for a role without rules; two people for a role with them, one over both where it manages."""
    if not bound:
        return [("", {})]
    name = bound[0]
    picked = list(dict.fromkeys((values[name][0], values[name][len(values[name]) // 2])))
    if "manager" in role:
        return [("", {name: picked})]
    return [(f".{_letters(v) or at}", {name: [v]}) for at, v in enumerate(picked, 1)]


def _letters(text: str) -> str:
    """A text as it may stand in an e-mail address: "Süd & Tal" is "sud.tal"."""
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", ".", plain).strip(".")


def _reset(sources: Sources, email: str, password: str) -> None:
    made = passwords.hashed(password)
    with sources.store.begin() as session:
        person = people.by_email(session, email)
        if person is not None:
            person.password_hash = made
