"""How this process runs: one table of settings, read from the environment once, refused when wrong.

``os.environ`` appears in this file only. Every setting is a variable ``LAKELIGHT_<NAME>``; ``PORT`` is also heard.
"""

from __future__ import annotations

import difflib
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
DEMO_WORKSPACE = ROOT / "demo" / "workspace"
WEAK = frozenset({"changeme", "secret", "dev", "development", "thisismysecretkey", "password"})
SHORTEST_KEY = 32


@dataclass(frozen=True)
class Setting:
    """A setting: its name, its type in a word, its default in words, and what it is for."""

    name: str
    kind: str
    default: str
    sentence: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"LAKELIGHT_{self.name.upper()}"


SETTINGS: tuple[Setting, ...] = (
    Setting("instance", "folder", "instance", "Where the database, the published lake and the models lie."),
    Setting("workspace", "folder", "demo/workspace", "The YAML files that say what the business means."),
    Setting("lake", "folder", "<instance>/lake/raw", "The raw lake that publication reads."),
    Setting("registry", "url", "sqlite:///<instance>/registry/mlflow.db", "The MLflow registry."),
    Setting("database", "url", "sqlite:///<instance>/app.db", "The app database."),
    Setting("audit_anchor", "file", "<instance>/audit.anchor", "Anchors of the audit log's chain; best elsewhere."),
    Setting("host", "text", "127.0.0.1", "The address the web process listens on."),
    Setting("port", "number", "8050", "The port the web process listens on; PORT is heard as well."),
    Setting(
        "demo",
        "yes or no",
        "yes for the demo workspace",
        "Offer the demo accounts on the sign-in page (loopback only).",
    ),
    Setting("secret_key", "secret", "made once in <instance>/secret.key", "Signs form tokens; at least 32 characters."),
    Setting("session_idle_minutes", "number", "30", "A session ends after this long without an act."),
    Setting("session_hours", "number", "8", "A session ends after this long in any case."),
    Setting("web_workers", "number", "2", "Web processes."),
    Setting("web_threads", "number", "8", "Threads in each web process."),
    Setting("callbacks_a_second", "number", "40", "Callbacks of one person that a web process answers in a second."),
    Setting("query_memory_mb", "number", "512", "Memory the lake may use in one process, in MB."),
    Setting("proxies", "number", "none", "Proxies in front, each adding X-Forwarded-For; else that header is ignored."),
    Setting("https", "yes or no", "no", "The app is reached over https: cookies are marked Secure and HSTS is sent."),
    Setting("public_url", "address", "http://<host>:<port>", "The address people type: links and the way back use it."),
    Setting(
        "passwords", "yes or no", "yes", "People may sign in with a password; no leaves the identity provider alone."
    ),
    Setting("oidc_issuer", "address", "none", "The identity provider's issuer, as its discovery document says it."),
    Setting("oidc_client_id", "text", "none", "What the identity provider calls this application."),
    Setting("oidc_client_secret", "given secret", "none", "The secret that the identity provider gave for it."),
    Setting("oidc_groups_claim", "text", "groups", "The claim that lists a person's groups; Role.groups maps them."),
    Setting("oidc_label", "text", "Sign in with your company account", "The words of the button on the sign-in page."),
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
YES, NO = frozenset({"1", "yes", "true", "on"}), frozenset({"0", "no", "false", "off"})


class SettingsMistakes(Exception):
    """Settings that cannot be used, all at once."""


@dataclass(frozen=True)
class Settings:
    """The settings of this process. ``secret_key`` never shows itself."""

    instance: Path
    workspace: Path
    lake: Path
    registry: str
    database: str
    audit_anchor: Path
    host: str = "127.0.0.1"
    port: int = 8050
    demo: bool = False
    secret_key: str = field(default="", repr=False)
    session_idle_minutes: int = 30
    session_hours: int = 8
    web_workers: int = 2
    web_threads: int = 8
    callbacks_a_second: int = 40
    query_memory_mb: int = 512
    proxies: int = 0
    https: bool = False
    public_url: str = ""
    passwords: bool = True
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_groups_claim: str = "groups"
    oidc_label: str = "Sign in with your company account"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check the settings; raises ``SettingsMistakes`` that names every wrong one."""
        mistakes = _unknown(environ)
        said = {s.name: environ[s.variable].strip() for s in SETTINGS if environ.get(s.variable, "").strip()}
        if environ.get("PORT", "").strip() and "port" not in said:
            said["port"] = environ["PORT"].strip()
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            if setting.name in said:
                try:
                    values[setting.name] = _read(setting, said[setting.name])
                except ValueError as problem:
                    mistakes.append(str(problem))
        mistakes += _at_odds(said)
        if mistakes:
            raise SettingsMistakes("The settings cannot be used:\n" + "\n".join(f"  {m}" for m in mistakes))
        instance = values.pop("instance", ROOT / "instance")
        workspace = values.pop("workspace", DEMO_WORKSPACE)
        defaults: dict[str, Any] = {
            "lake": instance / "lake" / "raw",
            "registry": f"sqlite:///{instance / 'registry' / 'mlflow.db'}",
            "database": f"sqlite:///{instance / 'app.db'}",
            "audit_anchor": instance / "audit.anchor",
            "demo": workspace.resolve() == DEMO_WORKSPACE,
        }
        return cls(instance=instance, workspace=workspace, **(defaults | values))

    @property
    def published(self) -> Path:
        """Where published tables lie."""
        return self.instance / "lake" / "published"

    @property
    def artefacts(self) -> Path:
        """Where admitted models lie."""
        return self.instance / "artefacts"

    @property
    def loopback(self) -> bool:
        """Does the web process listen to this machine only?"""
        return self.host in LOOPBACK

    @property
    def public_address(self) -> str:
        """The address that people type, without a slash at its end: what links and the way back are made of."""
        host = self.host if self.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104  compared only
        return self.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def from_environment() -> Settings:
    """The settings of this process's environment."""
    return Settings.from_env(os.environ)


def secret_key(settings: Settings) -> str:
    """The key that signs form tokens: the one that is set, or one made once and kept readable by the owner only."""
    if settings.secret_key:
        return settings.secret_key
    kept = settings.instance / "secret.key"
    try:
        settings.instance.mkdir(parents=True, exist_ok=True)
        if not kept.exists():
            _make_key(kept)
        key = kept.read_text()
    except OSError as problem:
        raise SettingsMistakes(
            f"{settings.instance} must be a folder that can be written to. Set LAKELIGHT_INSTANCE to one."
        ) from problem
    if len(key) < SHORTEST_KEY:
        raise SettingsMistakes(f"{kept} must hold at least {SHORTEST_KEY} characters. Remove it; it is made anew.")
    return key


def _make_key(kept: Path) -> None:
    """Write a key under another name and link it: a second process finds the whole key or none."""
    handle, partial = tempfile.mkstemp(prefix="secret.", dir=kept.parent)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(partial, kept)
    except FileExistsError:
        pass
    finally:
        os.unlink(partial)


def settings_table_markdown() -> str:
    """The reference page of the settings, made from the table."""
    head = "# Settings\n\nEach setting is an environment variable. An unknown `LAKELIGHT_` variable is refused.\n\n"
    rows = [f"| `{s.variable}` | {s.kind} | {s.default.replace('<', '&lt;')} | {s.sentence} |" for s in SETTINGS]
    return head + "| variable | type | default | what it is for |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {s.variable for s in SETTINGS}
    found = []
    for name in sorted(environ):
        if name.startswith("LAKELIGHT_") and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            found.append(f"{name} is not a setting." + (f" Did you mean {near[0]}?" if near else ""))
    return found


def _at_odds(said: Mapping[str, str]) -> list[str]:
    """Settings that are right one by one and wrong together."""
    needed = ("oidc_issuer", "oidc_client_id", "oidc_client_secret")
    missing = [f"LAKELIGHT_{name.upper()}" for name in needed if name not in said]
    if 0 < len(missing) < len(needed):
        return [f"{' and '.join(missing)} must be set too: the identity provider needs all three settings."]
    if missing and said.get("passwords", "").lower() in NO:
        return ["LAKELIGHT_PASSWORDS must be yes where no identity provider is set: nobody could sign in."]
    return []


def _address(setting: Setting, text: str) -> str:
    """An address of the web without anything that could send a request or a person elsewhere."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    plain = not (parts.query or parts.fragment or parts.username or "@" in parts.netloc or "?" in text or "#" in text)
    printable = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    if parts.scheme not in ("http", "https") or not host or not plain or not printable:
        raise ValueError(f"{setting.variable} must be an address like https://lakelight.example, got {text!r}.")
    if setting.name == "public_url" and parts.path not in ("", "/"):
        raise ValueError(f"{setting.variable} must name no folder, got {text!r}.")
    if setting.name == "oidc_issuer" and parts.scheme != "https" and host not in LOOPBACK:
        raise ValueError(f"{setting.variable} must begin with https:// where it is not this machine, got {text!r}.")
    return text


def _read(setting: Setting, text: str) -> Any:
    if setting.kind in ("folder", "file"):
        return Path(text).expanduser()
    if setting.kind == "number":
        if not text.isdecimal() or not 0 < int(text) < 1_000_000:
            raise ValueError(f"{setting.variable} must be a whole number above 0, got {text!r}.")
        if setting.name == "port" and int(text) > 65_535:
            raise ValueError(f"{setting.variable} must be at most 65535, got {text!r}.")
        return int(text)
    if setting.kind == "yes or no":
        if text.lower() not in YES | NO:
            raise ValueError(f"{setting.variable} must be yes or no, got {text!r}.")
        return text.lower() in YES
    if setting.kind == "address":
        return _address(setting, text)
    if setting.kind == "secret" and (len(text) < SHORTEST_KEY or text.lower() in WEAK or len(set(text)) < 8):
        raise ValueError(f"{setting.variable} must be at least {SHORTEST_KEY} characters that nobody can guess.")
    return text
