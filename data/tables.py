"""What the application remembers: the tables of the app database.

Times are UTC and timezone-aware in Python (``UtcDateTime``); on SQLite they are stored as text in ISO 8601.
JSON columns hold plain lists and dicts only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, Boolean, Dialect, ForeignKey, Index, Integer, String, Text, TypeDecorator, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time, stored as ISO 8601 text so that it sorts and reads the same everywhere."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Refuse naive times: their zone would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A time must carry its zone, got {value!r}.")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Back to an aware time."""
        return None if value is None else datetime.fromisoformat(value)


class Base(DeclarativeBase):
    """The declarative base; Alembic compares the database with its metadata."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}


class Person(Base):
    """Somebody who may sign in. The role is a name in ``access.yml``; attributes are lists of values.

    ``password_once`` marks a password that somebody else chose: it opens only the page where the person sets their own.
    ``second_factor`` is the encrypted TOTP secret, ``second_factor_step`` the last time step whose code was used, and
    ``recovery_codes`` hashes of codes for a lost device. ``erased_at``: nothing personal is kept any more.
    """

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(64))
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    password_hash: Mapped[str] = mapped_column(String(255))
    password_once: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    demo: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None]
    second_factor: Mapped[str] = mapped_column(String(255), default="", server_default="")
    second_factor_step: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    second_factor_since: Mapped[datetime | None]
    recovery_codes: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    erased_at: Mapped[datetime | None]


class PersonState(Base):
    """What a person was from a moment on: kept so that what they could see on a day can be worked out later."""

    __tablename__ = "person_states"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    at: Mapped[datetime]
    role: Mapped[str] = mapped_column(String(64))
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    active: Mapped[bool] = mapped_column(Boolean, default=True)


class Identity(Base):
    """Who a person is at an identity provider: its issuer and its subject, never an e-mail address."""

    __tablename__ = "identities"
    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    linked_at: Mapped[datetime]


class Ticket(Base):
    """A thing that works once and not for long: an activation or reset link, a half-done sign-in.

    Whoever holds it has the secret; only its SHA-256 stands here. ``kind`` says what it is good for.
    """

    __tablename__ = "tickets"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class UsageCount(Base):
    """How much of a limited thing was used in a stretch of time, shared by all web processes."""

    __tablename__ = "usage_counts"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    begins_at: Mapped[datetime]
    amount: Mapped[int] = mapped_column(Integer)


class PolicyVersion(Base):
    """The workspace's files as they were from a moment on; a new row wherever a start finds them different."""

    __tablename__ = "policy_versions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(String(64), index=True)
    files: Mapped[dict[str, Any]] = mapped_column(default=dict)


class AccessReview(Base):
    """Somebody looked whether a person's access is still right; ``role`` and ``attributes`` are what they looked at."""

    __tablename__ = "access_reviews"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime]
    role: Mapped[str] = mapped_column(String(64))
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    outcome: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text, default="")


class SignInSession(Base):
    """A signed-in browser. The cookie carries an opaque 256-bit id; only its SHA-256 stands here.

    ``seen_as_id`` is the person through whose eyes an administrator looks for now. ``method`` says how the person
    proved who they are, ``proven_at`` when they last did.
    """

    __tablename__ = "sessions"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    seen_as_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    method: Mapped[str] = mapped_column(String(16), default="password", server_default="password")
    proven_at: Mapped[datetime | None]


class SignInFailure(Base):
    """Failed sign-ins of one account from one address, shared by all web processes."""

    __tablename__ = "sign_in_failures"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    first_at: Mapped[datetime]
    wait_until: Mapped[datetime]


class AuditEvent(Base):
    """One act: who did what to which resource, with the decision. Written in the transaction of the act.

    ``salt`` keeps what is hashed from being guessed. Of an event that was emptied (its time was over, or its person
    was erased) ``content`` keeps the hash, so that the chain still holds.
    """

    __tablename__ = "audit_events"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    person_id: Mapped[int | None] = mapped_column(Integer, index=True)
    person: Mapped[str] = mapped_column(String(254), default="")
    act: Mapped[str] = mapped_column(String(64), index=True)
    resource: Mapped[str] = mapped_column(String(254), default="")
    allowed: Mapped[bool] = mapped_column(Boolean, default=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    salt: Mapped[str] = mapped_column(String(32), default="", server_default="")
    content: Mapped[str] = mapped_column(String(64), default="", server_default="")
    emptied_at: Mapped[datetime | None]


class AuditSeal(Base):
    """A link of the audit log's chain: the event at a position, and the hash of everything up to it.

    ``form`` 1 hashes the event as it stands, 2 its fixed parts and the hash of the others.
    """

    __tablename__ = "audit_seals"
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(Integer, unique=True)
    sealed_at: Mapped[datetime]
    chain: Mapped[str] = mapped_column(String(64))
    form: Mapped[int] = mapped_column(Integer, default=1, server_default="1")


class Publication(Base):
    """A checked, published version of a dataset. The current one is what pages read."""

    __tablename__ = "publications"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    dataset: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[int] = mapped_column(Integer)
    current: Mapped[bool] = mapped_column(Boolean, default=False)
    rows: Mapped[int] = mapped_column(Integer)
    columns: Mapped[dict[str, Any]] = mapped_column(default=dict)
    source_fingerprint: Mapped[str] = mapped_column(String(64))
    newest: Mapped[datetime | None]
    published_at: Mapped[datetime]
    __table_args__ = (Index("ix_publications_current", "dataset", "current"),)


class Quarantined(Base):
    """A source file that was not published, with the reason in one sentence."""

    __tablename__ = "quarantine"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    dataset: Mapped[str] = mapped_column(String(64), index=True)
    file: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class CatalogueVersion(Base):
    """A version of a registered model as last seen in the registry, and whether it was admitted.

    ``state``: ``admitted``, ``refused`` (with the reason) or ``waiting``. ``profile`` holds the trained
    ranges and typical values; ``card`` the training facts; ``metrics`` the measured ones. ``files`` is the digest
    of its registered files when first read; ``tried`` tells whether anything changed since it was last tried.
    """

    __tablename__ = "catalogue"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    registered: Mapped[str] = mapped_column(String(200), index=True)
    version: Mapped[str] = mapped_column(String(32))
    aliases: Mapped[list[Any]] = mapped_column(default=list)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    next_step: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str] = mapped_column(String(64), default="")
    format: Mapped[str] = mapped_column(String(32), default="")
    files: Mapped[str] = mapped_column(String(64), default="")
    tried: Mapped[str] = mapped_column(String(64), default="")
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    card: Mapped[dict[str, Any]] = mapped_column(default=dict)
    profile: Mapped[dict[str, Any]] = mapped_column(default=dict)
    trained_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]
    __table_args__ = (Index("ux_catalogue_version", "registered", "version", unique=True),)


class ScoreRun(Base):
    """One scoring of one dataset by one model version. Pages see the run that is ``current``.

    ``tables`` maps ``scores``, ``explanations``, ``inputs`` and ``replay`` to their Delta versions;
    ``data_versions`` maps the datasets read to theirs; ``importance`` maps features to mean |SHAP|;
    ``definition`` is the fingerprint of what ``models.yml`` says of the run.
    """

    __tablename__ = "score_runs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(String(64), index=True)
    registered: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(32))
    digest: Mapped[str] = mapped_column(String(64))
    definition: Mapped[str] = mapped_column(String(64), default="")
    current: Mapped[bool] = mapped_column(Boolean, default=False)
    data_versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    tables: Mapped[dict[str, Any]] = mapped_column(default=dict)
    rows: Mapped[int] = mapped_column(Integer)
    importance: Mapped[dict[str, Any]] = mapped_column(default=dict)
    as_of: Mapped[datetime | None]
    scored_at: Mapped[datetime]


class Job(Base):
    """A queued or finished piece of background work, as people see it.

    ``state``: ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``. The id is also the id of the
    durable workflow, so that the same job never runs twice.
    """

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(200), default="")
    owner_id: Mapped[int | None] = mapped_column(Integer, index=True)
    owner_fingerprint: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    progress: Mapped[int] = mapped_column(Integer, default=0)
    message: Mapped[str] = mapped_column(Text, default="")
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
