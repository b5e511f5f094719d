"""The company's identity provider over the network: its metadata, its keys, a code exchanged for tokens.

Only this adapter speaks to it. It asks addresses of the issuer's own metadata, over https (http on this machine alone),
follows no redirect, gives up in time and reads no more than a little; what it learnt is kept for a while.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc.jwk import Key
from requests import PreparedRequest, RequestException, Response
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from services import oidc_claims
from services.errors import Unavailable
from services.oidc_claims import Untrusted
from services.settings import LOOPBACK, Settings

CONNECT_SECONDS, READ_SECONDS, ALL_SECONDS = 3.0, 5.0, 10.0
MOST_BYTES = 512 * 1024
METADATA_SECONDS, KEYS_SECONDS, AGAIN_SECONDS = 3600.0, 3600.0, 5.0
AT_ONCE = 3
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")
SECRET_IN = ("client_secret_basic", "client_secret_post")


class Down(Unavailable):
    """The provider cannot be asked now. ``cause`` is for the log."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            "The identity provider does not answer at this moment.", next_step="Try again in a few minutes."
        )
        self.cause = cause


@dataclass(frozen=True)
class Metadata:
    """What of a provider's discovery document is used; every address was checked."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    scopes: frozenset[str]
    secret_in: str
    says_issuer: bool


@dataclass
class _Kept:
    value: Any = None
    at: float = float("-inf")


class IdentityProvider:
    """One provider for this process. Opening it asks nothing; what it answers is kept and shared by threads."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.issuer = settings.oidc_issuer
        self.client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._monotonic = monotonic
        self._loopback = (urlsplit(self.issuer).hostname or "") in LOOPBACK
        self._metadata, self._keys = _Kept(), _Kept()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def metadata(self) -> Metadata:
        """The discovery document, an hour old at most. Raises ``Down``."""
        with self._lock:
            if self._monotonic() - self._metadata.at < METADATA_SECONDS:
                found: Metadata = self._metadata.value
                return found
        read = self._read_metadata(self._json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"))
        with self._lock:
            self._metadata = _Kept(read, self._monotonic())
        return read

    def keys(self, *, anew: bool = False) -> tuple[Key, ...]:
        """The keys that sign, an hour old at most; ``anew`` fetches them where that was not done just now."""
        with self._lock:
            age = self._monotonic() - self._keys.at
            if age < (AGAIN_SECONDS if anew else KEYS_SECONDS):
                found: tuple[Key, ...] = self._keys.value
                return found
        try:
            read = oidc_claims.read_keys(self._json(self.metadata().jwks_uri))
        except Untrusted as wrong:
            raise Down(str(wrong)) from wrong
        with self._lock:
            self._keys = _Kept(read, self._monotonic())
        return read

    def address(self, *, back: str, state: str, nonce: str, verifier: str, fresh: bool, scopes: frozenset[str]) -> str:
        """Where the browser goes to sign in; ``fresh`` asks the person to prove anew who they are.

        ``max_age`` makes the provider say when that was. It is a minute, not 0: a provider that looks again after the
        person signed in would find 0 seconds passed and ask for ever. What was said is checked when they are back.
        """
        about = self.metadata()
        more = {"prompt": "login", "max_age": "60"} if fresh else {}
        with self._client(about) as client:
            url, _ = client.create_authorization_url(
                about.authorization_endpoint,
                redirect_uri=back,
                state=state,
                nonce=nonce,
                code_verifier=verifier,
                scope=" ".join(["openid", "profile", "email", *sorted(scopes & about.scopes)]),
                **more,
            )
        return str(url)

    def exchange(self, *, code: str, back: str, verifier: str) -> Mapping[str, Any]:
        """Tokens for a code. Raises ``Untrusted`` where the provider refuses it, ``Down`` where it does not answer."""
        about = self.metadata()
        with self._turn(), self._client(about) as client, _plain_problems():
            found = client.fetch_token(
                about.token_endpoint,
                grant_type="authorization_code",
                code=code,
                redirect_uri=back,
                code_verifier=verifier,
            )
        return dict(found)

    def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """What the userinfo endpoint says; nothing where the provider has none."""
        address = self.metadata().userinfo_endpoint
        if not address or not access_token:
            return {}
        found = self._json(address, {"Authorization": f"Bearer {access_token}"})
        return found if isinstance(found, dict) else {}

    def way_out(self, *, back: str) -> str:
        """The provider's page where a person ends their session there (RP-initiated logout); "" where it has none."""
        address = self.metadata().end_session_endpoint
        more = urlencode({"client_id": self.client_id, "post_logout_redirect_uri": back})
        return f"{address}{'&' if '?' in address else '?'}{more}" if address else ""

    def _read_metadata(self, said: Any) -> Metadata:
        if not isinstance(said, dict) or said.get("issuer") != self.issuer:
            raise Down(f"The discovery document must name the issuer {self.issuer}.")
        addresses = {name: str(said.get(name) or "") for name in (*ENDPOINTS, *OPTIONAL)}
        for name, address in addresses.items():
            if (address or name in ENDPOINTS) and not self._may_ask(address):
                raise Down(f"The {name} of the discovery document cannot be used.")
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        secret_in = next((m for m in SECRET_IN if isinstance(methods, list) and m in methods), "")
        if not secret_in:
            raise Down("The provider takes no client secret, so nothing can be exchanged with it.")
        scopes = said.get("scopes_supported")
        return Metadata(
            **addresses,
            scopes=frozenset(s for s in scopes if isinstance(s, str)) if isinstance(scopes, list) else frozenset(),
            secret_in=secret_in,
            says_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        )

    def _may_ask(self, address: str) -> bool:
        """Is this an address that a provider may have? Never another scheme, nor a name and password inside it."""
        try:
            parts = urlsplit(address)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if "@" in parts.netloc or "\\" in address or not address.isascii() or not address.isprintable() or not host:
            return False
        return parts.scheme == "https" or (parts.scheme == "http" and self._loopback and host in LOOPBACK)

    def _json(self, address: str, headers: Mapping[str, str] | None = None) -> Any:
        with self._turn(), self._client(None) as client, _plain_problems():
            answer = client.request(
                "GET", address, withhold_token=True, headers={"Accept": "application/json", **(headers or {})}
            )
            if answer.status_code != 200:
                raise Down(f"{address} answered {answer.status_code}.")
            return json.loads(answer.content)

    @contextmanager
    def _client(self, about: Metadata | None) -> Iterator[OAuth2Session]:
        client = OAuth2Session(
            self.client_id,
            self._secret,
            token_endpoint_auth_method=about.secret_in if about else None,
            code_challenge_method="S256",
        )
        client.auth = _NoPassword()
        client.adapters.clear()
        for scheme in ("https://", "http://") if self._loopback else ("https://",):
            client.mount(scheme, _Fenced(loopback=self._loopback))
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """A few threads at once may wait for the provider; the others go on serving everybody else."""
        if not self._turns.acquire(blocking=False):
            raise Down("Too many sign-ins wait for the provider.")
        try:
            yield
        finally:
            self._turns.release()


class _NoPassword(AuthBase):
    """Leaves a request as it is: requests would look into the password file of the operating system's user."""

    def __call__(self, asked: PreparedRequest) -> PreparedRequest:
        return asked


class _Fenced(HTTPAdapter):
    """Every request of a client: bounded in time and size, never redirected, never to an address nobody may mean."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Connections that look where they came out before a byte is sent."""
        super().init_poolmanager(*args, **kwargs)
        allowed = self._loopback

        class Plain(_Looks, HTTPConnection):
            loopback = allowed

        class Secure(_Looks, HTTPSConnection):
            loopback = allowed

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def send(self, request: PreparedRequest, **options: Any) -> Response:  # type: ignore[override]
        """One request and its whole answer. Raises ``Down`` on a redirect, a long wait or a long answer."""
        options |= {"stream": True, "timeout": (CONNECT_SECONDS, READ_SECONDS)}
        began = time.monotonic()
        answer = super().send(request, **options)
        if answer.is_redirect or 300 <= answer.status_code < 400:
            answer.close()
            raise Down(f"{urlsplit(str(request.url)).hostname} redirects, which is not followed.")
        read = bytearray()
        for part in answer.iter_content(16 * 1024):
            read += part
            if len(read) > MOST_BYTES or time.monotonic() - began > ALL_SECONDS:
                answer.close()
                raise Down(f"{urlsplit(str(request.url)).hostname} sends too much or too slowly.")
        answer._content = bytes(read)
        return answer


class _Looks:
    """A connection that is given up where the name led to an address of this machine's own surroundings."""

    loopback = False

    def _new_conn(self) -> socket.socket:
        opened: socket.socket = super()._new_conn()  # type: ignore[misc]
        if not may_reach(str(opened.getpeername()[0]), loopback=self.loopback):
            opened.close()
            raise Down("The provider's name leads to an address that is not asked.")
        return opened


def may_reach(address: str, *, loopback: bool) -> bool:
    """May the provider live at this IP address? A company's own networks yes; link-local (cloud metadata) never."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.is_loopback:
        return loopback
    return not (mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified or mapped.is_reserved)


@contextmanager
def _plain_problems() -> Iterator[None]:
    """Whatever a network can do, as one of two refusals."""
    try:
        yield
    except AuthlibBaseError as refused:
        raise Untrusted(f"The provider refused the code: {str(refused.error)[:60]}.") from None
    except (RequestException, OSError) as lost:
        raise Down(f"The provider cannot be reached ({type(lost).__name__}).") from None
    except (ValueError, RecursionError):
        raise Down("The provider's answer cannot be read.") from None
