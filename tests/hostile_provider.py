"""An identity provider that lies: right in everything but what a test tells it to spoil.

``spoil`` maps what is answered (``metadata``, ``token``, ``claims``, ``header``, ``keys``, ``userinfo``) to a function
of the right answer. It asks nobody for a password: whoever comes is ``subject`` and gets a code.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jws

CLIENT, SECRET = "lakelight", "a-secret-of-the-provider"


class Anything(jws.JWSRegistry):
    """Signs with whatever it is told to."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


@dataclass
class HostileProvider:
    """Serves on a free loopback port until it is ended. ``asked`` are the paths that were asked for, in order."""

    key: Any = field(default_factory=lambda: jwk.RSAKey.generate_key(2048, {"kid": "first"}))
    spoil: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            def do_POST(self) -> None:
                provider.answer(self)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def end(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()

    def reset(self) -> None:
        """Right in everything again."""
        self.spoil.clear()
        self.claims.clear()
        self.asked.clear()

    def sign_in(self, address: str, **changed: str) -> str:
        """What the browser is sent back to, path and query, for the address that it was sent to."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}-{time.monotonic_ns()}"
        self.codes[code] = query
        return "/sign-in/oidc/back?" + urlencode({"state": query["state"], "code": code, "iss": self.issuer, **changed})

    def answer(self, asked: Any) -> None:
        """One request."""
        path = urlsplit(asked.path).path
        self.asked.append(path)
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0)).decode()
        said = {
            "/.well-known/openid-configuration": self._metadata,
            "/keys": lambda: self._spoilt("keys", {"keys": [self.key.as_dict(private=False)]}),
            "/token": lambda: self._token({k: v[0] for k, v in parse_qs(body).items()}),
            "/userinfo": lambda: self._spoilt("userinfo", {"sub": "s-1"}),
        }.get(path, lambda: None)()
        if callable(said):
            said(asked)
            return
        sent = json.dumps(said).encode()
        asked.send_response(200 if said is not None else 404)
        asked.send_header("Content-Type", "application/json")
        asked.send_header("Content-Length", str(len(sent)))
        asked.end_headers()
        asked.wfile.write(sent)

    def _metadata(self) -> Any:
        return self._spoilt(
            "metadata",
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
                "scopes_supported": ["openid", "groups"],
            },
        )

    def _token(self, form: dict[str, str]) -> Any:
        query = self.codes.get(form.get("code", ""), {})
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "s-1", "aud": CLIENT, "exp": now + 300, "iat": now, "auth_time": now,
            "nonce": query.get("nonce"), "name": "Hanna Haus", "email": "hanna@company.example",
            "email_verified": True, "groups": ["chefs"], "tour": [], **self.claims,
        }  # fmt: skip
        claims = {k: v for k, v in self._spoilt("claims", claims).items() if v is not None}
        header = self._spoilt("header", {"alg": "RS256", "kid": self.key.kid})
        signed = jws.serialize_compact(
            header, json.dumps(claims), self.key, registry=Anything(strict_check_header=False)
        )
        return self._spoilt("token", {"access_token": "at", "token_type": "Bearer", "id_token": signed})

    def _spoilt(self, what: str, said: Any) -> Any:
        return self.spoil.get(what, lambda right: right)(said)
