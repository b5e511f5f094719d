"""What an identity provider says of a person, and whether it may be believed: pure checks, nothing is asked or kept.

OpenID Connect Core 1.0, 3.1.3.7 (ID token validation) and 3.1.3.8 (access token); RFC 7515 for the signature. The
checks that Authlib makes are left to it; what the provider itself could talk a client out of is fixed here: the
algorithms, the nonce, the issuer and the audience.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from data.definitions import AccessFile

ALGORITHMS: Mapping[str, tuple[type[Key], Any]] = {
    "RS256": (RSAKey, hashlib.sha256),
    "PS256": (RSAKey, hashlib.sha256),
    "ES256": (ECKey, hashlib.sha256),
    "EdDSA": (OKPKey, hashlib.sha512),
}
"""The signatures that are believed, each with its kind of key and the hash that binds an access token to it."""
CURVES: Mapping[str, tuple[str | None, ...]] = {"RSA": (None,), "EC": ("P-256",), "OKP": ("Ed25519",)}
SKEW_SECONDS = 60
SHORTEST_RSA_BITS = 2048
LONGEST_TOKEN, LONGEST_SUBJECT = 100_000, 255
MOST_VALUES, LONGEST_VALUE = 5_000, 256
LONGEST_NAME, LONGEST_EMAIL = 120, 254
EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f-\x9f]+@[^\s@\x00-\x1f\x7f-\x9f]+")


class Untrusted(Exception):
    """The provider's answer cannot be believed. The sentence is for the log; a person is told that it was refused."""


class _OneAlgorithm(jws.JWSRegistry):
    """Accepts the algorithm that was looked up before, and no other, whatever the library would."""

    def get_alg(self, name: str) -> Any:
        """The algorithm of that name; EdDSA without the library's advice to call it Ed25519."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


class UnknownKey(Untrusted):
    """No key that is known here signed it: the provider may have new ones."""


@dataclass(frozen=True)
class Expected:
    """What an ID token must say: who made it, for whom, in answer to which request, and when at the earliest.

    ``proven_since`` is set where the person was asked to prove anew who they are.
    """

    issuer: str
    client_id: str
    nonce: str
    at: datetime
    access_token: str = ""
    proven_since: datetime | None = None


@dataclass(frozen=True)
class Attested:
    """What a believed ID token says: the person's subject, every claim, and when they last proved who they are."""

    subject: str
    claims: Mapping[str, Any]
    proven_at: datetime | None


def read_keys(found: object) -> tuple[Key, ...]:
    """The public keys of a provider that a signature here may be made with; others are left out."""
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise Untrusted("The provider's keys are no list of keys.")
    kept = []
    for one in listed[:100]:
        if isinstance(one, dict) and one.get("kty") in tuple(CURVES) and one.get("use", "sig") == "sig":
            key = _public_key(one)
            if key is not None:
                kept.append(key)
    return tuple(kept)


def read_id_token(text: object, keys: Iterable[Key], expected: Expected) -> Attested:
    """Everything an ID token says, once all of it was checked. Raises ``Untrusted``."""
    if not isinstance(text, str) or len(text) > LONGEST_TOKEN:
        raise Untrusted("The provider sent no ID token that could be read.")
    try:
        header = jws.extract_compact(text.encode()).headers()
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header or "b64" in header:
            raise Untrusted(f"The ID token is signed with {str(algorithm)[:20]!r}, which is not accepted.")
        claims = _signed_by_one_of(text, _candidates(keys, header, algorithm), algorithm)
        checked = CodeIDToken(
            claims,
            header,
            {
                "iss": {"essential": True, "value": expected.issuer},
                "aud": {"essential": True, "value": expected.client_id},
            },
            {"nonce": expected.nonce, "client_id": expected.client_id},
        )
        _numbers(claims)
        checked.validate(now=int(expected.at.timestamp()), leeway=SKEW_SECONDS)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as wrong:
        raise Untrusted(f"The ID token is not valid: {_plain(wrong)}.") from wrong
    _in_answer_to(claims, expected)
    _at_hash(claims, algorithm, expected.access_token)
    return Attested(_subject(claims), claims, _proven(claims, expected))


def merged(attested: Attested, userinfo: Mapping[str, Any]) -> Attested:
    """The ID token's claims, and those that only the userinfo endpoint tells; it must speak of the same person."""
    if userinfo.get("sub") != attested.subject:
        raise Untrusted("The userinfo endpoint speaks of somebody else.")
    return Attested(attested.subject, {**userinfo, **attested.claims}, attested.proven_at)


def values_of(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The texts of a claim, each once; a name with dots also reaches into a claim (``realm_access.roles``)."""
    found: Any = claims.get(claim)
    if found is None and "." in claim:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    texts = [v for v in listed[:MOST_VALUES] if isinstance(v, str) and 0 < len(v) <= LONGEST_VALUE]
    return tuple(dict.fromkeys(texts))


def says_groups(claims: Mapping[str, Any], claim: str) -> bool:
    """Does the provider say anything of groups, or only that there are too many to say (Entra's overage)?"""
    elsewhere = claims.get("_claim_names")
    return not (isinstance(elsewhere, Mapping) and claim in elsewhere) and claims.get("hasgroups") is not True


def role_of(policy: AccessFile, groups: Iterable[str]) -> str | None:
    """The first role of the file that names one of these groups; None where none does."""
    held = set(groups)
    return next((name for name, role in policy.roles.items() if held & set(role.groups)), None)


def attributes_of(policy: AccessFile, claims: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The attributes that the provider speaks of: values that are allowed, and those left out as they are not.

    An attribute whose claim is missing has no value: row rules on it then give no rows.
    """
    kept: dict[str, list[str]] = {}
    dropped: dict[str, list[str]] = {}
    for name, about in policy.attributes.items():
        if about.claim:
            said = values_of(claims, about.claim)
            kept[name] = sorted(v for v in said if v in about.values)
            wrong = sorted(v[:60] for v in said if v not in about.values)
            if wrong:
                dropped[name] = wrong[:20]
    return kept, dropped


def email_of(claims: Mapping[str, Any]) -> str:
    """The address to show, in small letters; "" where there is none or the provider says that it is not verified."""
    said, verified = claims.get("email"), claims.get("email_verified", True)
    if not isinstance(said, str) or len(said) > LONGEST_EMAIL or not EMAIL.fullmatch(said.strip()):
        return ""
    return said.strip().lower() if verified is True or verified == "true" else ""


def name_of(claims: Mapping[str, Any]) -> str:
    """What to call the person, on one line; "" where the provider does not say."""
    whole = " ".join(str(claims[k]) for k in ("given_name", "family_name") if isinstance(claims.get(k), str))
    for said in (claims.get("name"), whole, claims.get("preferred_username")):
        if isinstance(said, str):
            tidy = " ".join("".join(c if c.isprintable() else " " for c in said).split())[:LONGEST_NAME]
            if tidy:
                return tidy
    return ""


def stand_in(issuer: str, subject: str) -> str:
    """What stands where an address would, for somebody whose address is not known: the same each time, nobody's."""
    return f"{hashlib.sha256(f'{issuer}|{subject}'.encode()).hexdigest()[:16]}@provider.invalid"


def _public_key(found: Mapping[str, Any]) -> Key | None:
    if found.get("crv") not in CURVES[found["kty"]]:
        return None
    if found["kty"] == "RSA" and len(str(found.get("n", ""))) * 6 < SHORTEST_RSA_BITS:
        return None
    public = {k: v for k, v in found.items() if k in ("kty", "kid", "alg", "use", "n", "e", "crv", "x", "y")}
    try:
        key = JWKRegistry.import_key(public)
        key.as_dict(private=False)  # reads the numbers, so that a key that is none is found out here
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


def _candidates(keys: Iterable[Key], header: Mapping[str, Any], algorithm: str) -> list[Key]:
    """The keys that may have signed: of the right kind, for this algorithm, with the name the token gives."""
    kind, _ = ALGORITHMS[algorithm]
    fitting = [k for k in keys if isinstance(k, kind) and k.as_dict(private=False).get("alg", algorithm) == algorithm]
    if "kid" in header:
        fitting = [k for k in fitting if k.as_dict(private=False).get("kid") == header["kid"]]
    if not fitting:
        raise UnknownKey("The ID token is signed with a key that the provider does not publish.")
    return fitting


def _signed_by_one_of(text: str, keys: list[Key], algorithm: str) -> dict[str, Any]:
    registry = _OneAlgorithm(algorithms=[algorithm], strict_check_header=False)
    for at, key in enumerate(keys, 1):
        try:
            return dict(jwt.decode(text, key, registry=registry).claims)
        except JoseError:
            if at == len(keys):
                raise
    raise UnknownKey("No key fits.")


def _numbers(claims: Mapping[str, Any]) -> None:
    for name in ("exp", "iat", "nbf", "auth_time"):
        value = claims.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            raise Untrusted(f"The ID token's {name} is no time.")


def _in_answer_to(claims: Mapping[str, Any], expected: Expected) -> None:
    """What must hold whatever a library makes of it: no claim of the token can talk its own check away."""
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != expected.issuer or expected.client_id not in several:
        raise Untrusted("The ID token is not from this provider for this application.")
    if len(several) > 1 and claims.get("azp") != expected.client_id:
        raise Untrusted("The ID token is for several applications and was not asked for by this one.")
    if claims.get("azp", expected.client_id) != expected.client_id:
        raise Untrusted("The ID token was asked for by another application.")
    nonce = claims.get("nonce")
    if (
        not expected.nonce
        or not isinstance(nonce, str)
        or not hmac.compare_digest(nonce.encode(), expected.nonce.encode())
    ):
        raise Untrusted("The ID token does not answer this sign-in.")


def _at_hash(claims: Mapping[str, Any], algorithm: str, access_token: str) -> None:
    said = claims.get("at_hash")
    if said is None:
        return
    _, hashed = ALGORITHMS[algorithm]
    digest = hashed(access_token.encode()).digest()
    wanted = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(said, str) or not access_token or not hmac.compare_digest(said.encode(), wanted):
        raise Untrusted("The access token does not belong to the ID token.")


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise Untrusted("The ID token names no subject.")
    return subject


def _proven(claims: Mapping[str, Any], expected: Expected) -> datetime | None:
    """When the person last proved who they are; it must be after the request that asked for it."""
    said = claims.get("auth_time")
    if said is not None and said > expected.at.timestamp() + SKEW_SECONDS:
        raise Untrusted("The provider says that the person proved who they are in the future.")
    since = expected.proven_since
    if since is not None and (said is None or said < since.timestamp() - SKEW_SECONDS):
        raise Untrusted("The provider does not say that the person proved anew who they are.")
    return None if said is None else min(datetime.fromtimestamp(said, UTC), expected.at)


def _plain(wrong: Exception) -> str:
    """A library's complaint on one line, short enough for the log."""
    return (
        " ".join("".join(c if c.isprintable() else " " for c in str(wrong)).split())[:120].rstrip(".") or "unreadable"
    )
