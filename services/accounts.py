"""A person's account: what it may be, how it comes to be, and how it is looked up."""

from __future__ import annotations

from sqlalchemy.orm import Session

from data import people
from data.tables import Person
from services import audit, links, passwords
from services.access import Viewer
from services.errors import InvalidField, NotFound
from services.sources import Sources


def person_of(session: Session, person_id: int) -> Person:
    """A person by id. Raises ``NotFound``."""
    found = people.by_id(session, person_id)
    if found is None:
        raise NotFound("There is no such person.", next_step="Choose one of the list.")
    return found


def create(
    sources: Sources,
    *,
    email: str,
    name: str,
    role: str,
    attributes: dict[str, list[str]],
    password: str = "",
    by: Viewer | None = None,
    demo: bool = False,
    once: bool = False,
    link: bool = False,
) -> str:
    """Add a person, checked against the policy's roles and attributes. ``by`` is None at the operator's terminal.

    Without a password nobody can sign in with one. ``link`` asks for the address where the person chooses theirs; else
    "" is given. With ``once`` the password opens only the page where they choose their own.
    """
    check_person(sources, email=email, name=name, role=role, attributes=attributes)
    made_hash = passwords.hashed(password) if password else ""
    with sources.store.begin() as session:
        if people.by_email(session, email) is not None:
            raise InvalidField(
                "email",
                f"{email.strip()} is already there.",
                next_step="An administrator changes people on the page People.",
            )
        made = people.add(
            session, email=email, name=name, role=role, attributes=dict(attributes),
            password_hash=made_hash, created_at=sources.clock(), demo=demo,
        )  # fmt: skip
        made.password_once = once or link
        audit.write(session, sources, by, "person.add", made.email, detail={"role": role, **attributes})
        return links.made(session, sources, made, "activation") if link else ""


def check_person(sources: Sources, *, email: str, name: str, role: str, attributes: dict[str, list[str]]) -> None:
    """What a person may be; raises ``InvalidField`` with the first mistake."""
    policy = sources.workspace.access
    local, _, host = email.strip().partition("@")
    if not local or not host or "@" in host or len(email) > 254 or any(c.isspace() for c in email.strip()):
        raise InvalidField("email", f"An e-mail must look like name@company, got {email[:60]!r}.")
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidField("name", "A name must have 1 to 120 characters.")
    if role not in policy.roles:
        raise InvalidField("role", f"A role must be one of {', '.join(policy.roles)}, got {role[:60]!r}.")
    for attribute, values in attributes.items():
        if attribute not in policy.attributes:
            known = ", ".join(policy.attributes) or "none"
            raise InvalidField("attributes", f"An attribute must be one of {known}, got {attribute[:60]!r}.")
        about = policy.attributes[attribute]
        wrong = [v for v in values if v not in about.values]
        if wrong:
            allowed = ", ".join(about.values)
            raise InvalidField(attribute, f"{about.label} must be one of {allowed}, got {str(wrong[0])[:60]!r}.")
