"""Signing in through the company's identity provider: begun here, proven there, finished here.

A sign-in that was begun is a ticket: state, nonce and PKCE verifier stand in it, the browser holds only its secret.
A person is (issuer, subject), never an e-mail address; role and attributes are the provider's to say, at each sign-in.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from data import audit_log, identities, sessions, tickets
from data.tables import Ticket
from services import oidc_claims, oidc_people, sign_in, sign_in_limits
from services.access import Viewer, require_own_eyes
from services.errors import NotFound
from services.live_sessions import hash_of
from services.oidc_claims import Attested, Expected, UnknownKey, Untrusted
from services.oidc_people import Refused
from services.oidc_provider import Down, IdentityProvider
from services.sign_in import SAME_REFUSAL
from services.sign_in_limits import Count
from services.sources import Sources

KIND = "oidc"
TIME = timedelta(minutes=10)
KEPT = timedelta(days=1)
FREE = 120
LONGEST_CODE, LONGEST_TARGET = 2048, 500
ERROR = re.compile(r"[a-z_]{1,40}")
BACK = "/sign-in/oidc/back"


@dataclass(frozen=True)
class Begun:
    """Where the browser goes now, and the secret that it brings back in its cookie."""

    address: str
    secret: str


@dataclass(frozen=True)
class Finished:
    """The session that was opened, or "" where the running one was proven anew; and where the person wanted to go."""

    session_id: str
    target: str


def came_through(viewer: Viewer, sources: Sources) -> bool:
    """Did the person of this session prove who they are at the identity provider?"""
    with sources.store.read() as session:
        found = sessions.live(session, hash_of(viewer.session_id))
    return found is not None and found.method == "oidc"


def begin(sources: Sources, *, target: str, address: str, again: Viewer | None = None) -> Begun:
    """Begin a sign-in, or with ``again`` the running session's proof anew. Raises ``Down`` or ``Refused``."""
    provider = _provider(sources)
    if again is not None:
        require_own_eyes(again)
    at, count = sources.clock(), _count(address)
    with sources.store.read() as session:
        if sign_in_limits.wait(session, count, at):
            raise Refused("Too many sign-ins were begun from your address.", next_step="Try again in a few minutes.")
    secret, state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    away = provider.address(
        back=_back(sources),
        state=state,
        nonce=nonce,
        verifier=verifier,
        fresh=again is not None,
        scopes=frozenset({sources.settings.oidc_groups_claim} & {"groups", "roles"}),
    )
    detail = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "target": target[:LONGEST_TARGET],
        "issuer": provider.issuer,
        "session": hash_of(again.session_id) if again else "",
    }
    with sources.store.begin() as session:
        sign_in_limits.failed(session, count, at)
        tickets.forget(session, at - KEPT)
        tickets.add(
            session,
            id_hash=_hash(secret),
            kind=KIND,
            person_id=again.person_id if again else None,
            at=at,
            ends_at=at + TIME,
            detail=detail,
        )
    return Begun(away, secret)


def finish(
    sources: Sources,
    *,
    secret: str,
    said: Mapping[str, str],
    address: str,
    user_agent: str = "",
    viewer: Viewer | None = None,
) -> Finished:
    """What the browser brought back, checked against what was begun in it. Raises ``Refused`` or ``Down``.

    ``said`` holds each parameter that came once; ``viewer`` is whoever is signed in in this browser.
    """
    at, provider = sources.clock(), _provider(sources)
    ticket = _ticket(sources, secret, said, at)
    kept = dict(ticket.detail)
    try:
        attested = _attested(sources, provider, kept, said=said, begun_at=ticket.created_at)
    except Untrusted as wrong:
        _refused(sources, str(wrong))
        raise Refused(
            "What the identity provider answered could not be accepted.",
            next_step="Try again, and tell your administrator if it happens twice.",
        ) from wrong
    except Down as down:
        _refused(sources, down.cause)
        raise
    if kept["session"]:
        _prove_again(sources, attested, kept, viewer=viewer)
        return Finished("", str(kept["target"]))
    person = oidc_people.arrive(sources, provider.issuer, attested)
    session_id = sign_in.open_session(
        sources,
        person,
        method="oidc",
        address=address,
        user_agent=user_agent,
        forgiven=(_count(address).key,),
        proven_at=attested.proven_at,
    )
    return Finished(session_id, str(kept["target"]))


def way_out(sources: Sources) -> str:
    """Where a person ends their session at the provider too; "" where it offers no such page or is not asked."""
    provider = _provider(sources)
    return provider.way_out(back=f"{sources.settings.public_address}/sign-in")


def _provider(sources: Sources) -> IdentityProvider:
    if sources.provider is None:
        raise NotFound("No identity provider is set.", next_step="Sign in with your password.")
    return sources.provider


def _back(sources: Sources) -> str:
    return sources.settings.public_address + BACK


def _ticket(sources: Sources, secret: str, said: Mapping[str, str], at: datetime) -> Ticket:
    """The sign-in that this browser began, used up. Of another browser, time or provider there is none."""
    elsewhere = Refused(
        "This sign-in was not begun in this browser, or it took too long.", next_step="Begin once more, from here."
    )
    if not 20 <= len(secret) <= 100:
        raise elsewhere
    with sources.store.read() as session:
        ticket = tickets.usable(session, _hash(secret), KIND, at)
    if ticket is None:
        raise elsewhere
    detail = dict(ticket.detail)
    if not hmac.compare_digest(said.get("state", "").encode(), str(detail["state"]).encode()):
        _refused(sources, "The answer does not belong to the sign-in that this browser began.", once_a_minute=True)
        raise elsewhere
    with sources.store.begin() as session:
        mine = tickets.take(session, ticket.id_hash, KIND, at)
    if not mine or detail["issuer"] != _provider(sources).issuer:
        raise elsewhere
    ticket.detail = detail
    return ticket


def _attested(
    sources: Sources,
    provider: IdentityProvider,
    kept: Mapping[str, Any],
    *,
    said: Mapping[str, str],
    begun_at: datetime,
) -> Attested:
    """The code exchanged, and what the tokens say once they were checked. Raises ``Untrusted`` or ``Down``."""
    named = said.get("iss")
    if named != provider.issuer and (named is not None or provider.metadata().says_issuer):
        raise Untrusted("The answer names another provider than the one that was asked.")
    if "error" in said:
        code = said["error"] if ERROR.fullmatch(said["error"]) else "an error"
        raise Untrusted(f"The provider answered {code}.")
    code = said.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE:
        raise Untrusted("The provider sent no code.")
    given = provider.exchange(code=code, back=_back(sources), verifier=str(kept["verifier"]))
    token = given.get("access_token")
    access_token = token if isinstance(token, str) else ""
    expected = Expected(
        issuer=provider.issuer,
        client_id=provider.client_id,
        nonce=str(kept["nonce"]),
        at=sources.clock(),
        access_token=access_token,
        proven_since=begun_at if kept["session"] else None,
    )
    try:
        attested = oidc_claims.read_id_token(given.get("id_token"), provider.keys(), expected)
    except UnknownKey:
        attested = oidc_claims.read_id_token(given.get("id_token"), provider.keys(anew=True), expected)
    return _told_in_full(sources, provider, attested, access_token)


def _told_in_full(sources: Sources, provider: IdentityProvider, attested: Attested, access_token: str) -> Attested:
    """With what only the userinfo endpoint says, where the ID token leaves out what is needed."""
    claims = [a.claim for a in sources.workspace.access.attributes.values() if a.claim]
    needed = ("name", "email", sources.settings.oidc_groups_claim, *claims)
    if all(claim.partition(".")[0] in attested.claims or claim in attested.claims for claim in needed):
        return attested
    userinfo = provider.userinfo(access_token)
    return oidc_claims.merged(attested, userinfo) if userinfo else attested


def _prove_again(sources: Sources, attested: Attested, kept: Mapping[str, Any], *, viewer: Viewer | None) -> None:
    """The running session's person proved anew who they are; anybody else, or another session, is refused."""
    mine = viewer is not None and hmac.compare_digest(hash_of(viewer.session_id), str(kept["session"]))
    issuer = _provider(sources).issuer
    with sources.store.read() as session:
        known = identities.find(session, issuer, attested.subject)
    if viewer is None or not mine or viewer.seen_as or known is None or known.person_id != viewer.person_id:
        _refused(sources, "Somebody else proved who they are than whose session it was.")
        raise Refused(
            "At the identity provider you signed in as somebody else than here.", next_step="Sign out here first."
        )
    oidc_people.arrive(sources, issuer, attested)
    at = sources.clock()
    with sources.store.begin() as session:
        sessions.prove(session, hash_of(viewer.session_id), min(attested.proven_at or at, at))
        audit_log.record(
            session, at=at, person_id=viewer.person_id, person=viewer.email, act="session.prove",
            detail={"method": "oidc"},
        )  # fmt: skip


def _refused(sources: Sources, reason: str, *, once_a_minute: bool = False) -> None:
    """Write a refusal of somebody who is not known yet. What uses up no ticket could be tried without end."""
    at, resource = sources.clock(), f"{KIND}, state" if once_a_minute else KIND
    with sources.store.begin() as session:
        since = at - SAME_REFUSAL
        if once_a_minute and audit_log.recent(session, person="", act="sign_in", resource=resource, since=since):
            return
        audit_log.record(
            session, at=at, person_id=None, person="", act="sign_in", resource=resource, allowed=False, reason=reason
        )


def _count(address: str) -> Count:
    """Sign-ins that were begun from an address; one that ends well settles them."""
    of_address = sign_in_limits.of_address(address)
    return replace(of_address, key=_hash(f"{of_address.key}|{KIND}"), free=FREE)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
