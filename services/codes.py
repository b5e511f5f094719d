"""Codes of a second factor: those of an authenticator app (TOTP, RFC 6238), and recovery codes for a lost device.

The secret is kept encrypted, under a key made of the secret key of the settings: the database alone gives no codes. A
code works once, at most one step of thirty seconds early or late. Recovery codes are random and long, so that a plain
hash keeps them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import secrets
from datetime import datetime

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.orm import Session

from data import people
from data.tables import Person
from services.errors import Unavailable
from services.settings import secret_key
from services.sources import Sources

STEP_SECONDS, EARLY_OR_LATE, DIGITS = 30, 1, 6
FORM, NONCE = "1.", 12


def use(session: Session, sources: Sources, person: Person, code: str) -> bool:
    """Is this a code of the person's app, or one of their recovery codes? Either is good for one use.

    To be called in the transaction that acts on it, with a person of that session.
    """
    said = _plain(code)
    if said.isdigit() and len(said) == DIGITS:
        step = step_of(opened(sources, person.id, person.second_factor), said, sources.clock())
        return step is not None and people.use_code(session, person.id, step)
    session.refresh(person, with_for_update=True)
    hashed = hash_of(said)
    if hashed not in person.recovery_codes:
        return False
    person.recovery_codes = [c for c in person.recovery_codes if c != hashed]
    return True


def new_secret() -> str:
    """A secret of 160 random bits (RFC 4226, 4)."""
    return pyotp.random_base32()


def address(secret: str, email: str, place: str) -> str:
    """What an authenticator app reads: the secret, whose it is and for which place."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=place)


def sealed(sources: Sources, person_id: int, secret: str) -> str:
    """A secret as the database keeps it: encrypted and bound to its person."""
    nonce = secrets.token_bytes(NONCE)
    data = AESGCM(_key(sources)).encrypt(nonce, secret.encode(), str(person_id).encode())
    return FORM + base64.b64encode(nonce + data).decode()


def opened(sources: Sources, person_id: int, kept: str) -> str:
    """The secret behind what the database keeps. Raises ``Unavailable`` where another key sealed it."""
    try:
        raw = base64.b64decode(kept.removeprefix(FORM), validate=True)
        return AESGCM(_key(sources)).decrypt(raw[:NONCE], raw[NONCE:], str(person_id).encode()).decode()
    except (InvalidTag, ValueError, binascii.Error) as problem:
        raise Unavailable(
            "Codes cannot be checked: the secret key of this place has changed.",
            next_step="Use a recovery code, or ask an administrator to take your second factor away.",
        ) from problem


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """The time step whose code this is: now, one earlier or one later; None for a wrong one."""
    totp, said, now = pyotp.TOTP(secret), _plain(code), int(at.timestamp()) // STEP_SECONDS
    near = range(now - EARLY_OR_LATE, now + EARLY_OR_LATE + 1)
    found = [step for step in near if pyotp.utils.strings_equal(totp.generate_otp(step), said)]
    return found[-1] if found else None


def recovery_code() -> str:
    """A hundred and twenty random bits in groups of four: enough for a plain hash (ASVS 5.0, 6.5.2)."""
    said = base64.b32encode(secrets.token_bytes(15)).decode().lower()
    return "-".join(re.findall("....", said))


def _plain(code: str) -> str:
    """What was typed without blanks and hyphens, in small letters."""
    return re.sub(r"[\s-]+", "", code[:64]).lower()


def hash_of(code: str) -> str:
    """What the database keeps of a recovery code."""
    return hashlib.sha256(_plain(code).encode(errors="replace")).hexdigest()


def _key(sources: Sources) -> bytes:
    """The key of second factors, made of the settings' secret key (HKDF, RFC 5869)."""
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"lakelight second factor 1")
    return made.derive(secret_key(sources.settings).encode())


def picture(uri: str) -> str:
    """The picture an app reads, as SVG, dark on light in every theme."""
    out = io.BytesIO()
    segno.make(uri, error="m").save(out, kind="svg", border=3, dark="#000", light="#fff", xmldecl=False, omitsize=True)
    return out.getvalue().decode()
