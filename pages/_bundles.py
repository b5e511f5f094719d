"""Code for the browser: compressed once, cached for a year, in as few requests as can be.

Our own styles and scripts go out as one file each, named after their content, so that a page that was seen before asks
for none of them again. Dash's component bundles are compressed on first use and kept in ``<instance>/bundles``. Nothing
here belongs to a person: these files are public.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import os
import pkgutil
import re
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli
from dash import Dash
from dash.fingerprint import check_fingerprint
from flask import Flask, Response, abort, current_app, request
from werkzeug.security import safe_join

SUITES = "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>"
ASSETS = "_dash_assets.static"
FOREVER = "public, max-age=31536000, immutable"
A_DAY = "public, max-age=86400, stale-while-revalidate=604800"
A_MOMENT = "public, max-age=60, stale-while-revalidate=86400"
APART = frozenset({"sign-in.css", "scheme.js"})
TEXT = (".js", ".css", ".svg", ".json", ".map")
UNUSED = re.compile(r'<script src="/_dash-component-suites/dash/dash_table/[^"]*"></script>\s*')
STYLE = re.compile(r'<link rel="stylesheet" href="/assets/[^"]*">\s*')
SCRIPT = re.compile(r'<script src="/assets/[^"]*"></script>\s*')
ICON = re.compile(r'<link rel="icon"[^>]*>')
JOINED = re.compile(r"all\.[0-9a-f]{24}\.(css|js)")
REFERENCE = re.compile(r'url\("?(fonts/[^")]+)"?\)')


@dataclass(frozen=True)
class _File:
    """A file as it is sent: its bytes in one encoding ("" for plain), the tag of its content, its type."""

    body: bytes
    encoding: str
    tag: str
    mimetype: str


def add(app: Dash, assets: Path, kept: Path) -> None:
    """Take over the two routes of Dash that serve code. ``kept`` is where compressed files stay between starts."""
    bundles = Bundles(app, assets, kept)
    server: Flask = app.server
    server.extensions["bundles"] = bundles

    def suite(package_name: str, fingerprinted_path: str) -> Any:
        path, named = check_fingerprint(fingerprinted_path)
        if path not in app.registered_paths.get(package_name, ()):
            abort(404)
        return _sent(bundles.component(package_name, path, _encoding(path)), FOREVER if named else A_DAY)

    def asset(filename: str) -> Any:
        found = bundles.asset(filename, _encoding(filename))
        return abort(404) if found is None else _sent(found, FOREVER if found.tag in filename else A_MOMENT)

    server.view_functions[SUITES] = suite
    server.view_functions[ASSETS] = asset


def rewrite(html: str) -> str:
    """The document with one style sheet and one script of ours, and without a component library that no page uses."""
    bundles: Bundles = current_app.extensions["bundles"]
    style, script = bundles.address(".css"), bundles.address(".js")
    html = UNUSED.sub("", html)
    html = _once(STYLE, f'<link rel="stylesheet" href="{style}">', html)
    html = _once(SCRIPT, f'<script src="{script}"></script>', html)
    return ICON.sub(f'<link rel="icon" type="image/svg+xml" href="{bundles.versioned("favicon.svg")}">', html, count=1)


class Bundles:
    """What one application serves to browsers as code. Reads and compresses a file when it is first asked for."""

    def __init__(self, app: Dash, assets: Path, kept: Path) -> None:
        self._app, self._assets, self._kept = app, assets, kept
        self._lock = threading.Lock()
        self._files: dict[tuple[str, ...], _File] = {}
        self._joined: dict[str, tuple[tuple[Any, ...], bytes]] = {}

    def component(self, package: str, path: str, encoding: str) -> _File:
        """A bundle of a component library, which Dash has checked to be one of its own."""
        return self._kept_file((package, path, encoding), path, lambda: pkgutil.get_data(package, path) or b"")

    def asset(self, name: str, encoding: str) -> _File | None:
        """A file of ours by its name, or one of the two that hold all styles and all scripts."""
        if JOINED.fullmatch(name):
            raw = self._all(Path(name).suffix)
        else:
            target = safe_join(str(self._assets), name)
            if target is None or any(p.startswith(".") for p in Path(name).parts):
                return None
            try:
                raw = Path(target).read_bytes()
            except (OSError, ValueError):
                return None
        return self._kept_file((_tag(raw), Path(name).suffix, encoding), name, lambda: raw)

    def address(self, suffix: str) -> str:
        """Where all styles (".css") or all scripts (".js") are, named after their content."""
        return f"/assets/all.{_tag(self._all(suffix))}{suffix}"

    def versioned(self, name: str) -> str:
        """The address of one file that changes with its content."""
        file = self._assets / name
        return f"/assets/{name}?v={_tag(file.read_bytes())}" if file.is_file() else f"/assets/{name}"

    def _all(self, suffix: str) -> bytes:
        """All files of a kind in name order, tokens and the base first; read again when one of them changes."""
        files = sorted(
            (f for f in self._assets.glob(f"*{suffix}") if f.name not in APART),
            key=lambda f: (f.name != "tokens.css", f.name not in ("base.css", "lakelight.js"), f.name),
        )
        state = tuple((f.name, f.stat().st_mtime_ns) for f in files)
        known = self._joined.get(suffix)
        if known is None or known[0] != state:
            joined = b"\n".join(f.read_bytes().rstrip() for f in files) + b"\n"
            if suffix == ".css":
                joined = REFERENCE.sub(lambda m: f'url("{self.versioned(m[1])}")', joined.decode()).encode()
            known = self._joined[suffix] = (state, joined)
        return known[1]

    def _kept_file(self, key: tuple[str, ...], name: str, read: Callable[[], bytes]) -> _File:
        with self._lock:
            if key not in self._files:
                raw, encoding = read(), key[-1]
                tag = _tag(raw)
                body = self._compressed(tag, raw, encoding) if encoding else raw
                mimetype = mimetypes.types_map.get(Path(name).suffix, "application/octet-stream")
                self._files[key] = _File(body, encoding, tag, mimetype)
            return self._files[key]

    def _compressed(self, tag: str, raw: bytes, encoding: str) -> bytes:
        file = self._kept / f"{tag}.{encoding}"
        try:
            return file.read_bytes()
        except OSError:
            made = brotli.compress(raw, quality=9) if encoding == "br" else gzip.compress(raw, 6, mtime=0)
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=self._kept)
            with os.fdopen(handle, "wb") as out:
                out.write(made)
            Path(partial).replace(file)
        except OSError:
            return made
        return made


def _encoding(name: str) -> str:
    """The best encoding that this browser takes for a text, "" for anything else."""
    return next((e for e in ("br", "gzip") if name.endswith(TEXT) and request.accept_encodings.quality(e) > 0), "")


def _sent(file: _File, caching: str) -> Response:
    response = Response(file.body, mimetype=file.mimetype)
    response.set_etag(f"{file.tag}{file.encoding}")
    response.headers["Cache-Control"] = FOREVER if request.args.get("v") == file.tag else caching
    response.headers["Vary"] = "Accept-Encoding"
    if file.encoding:
        response.headers["Content-Encoding"] = file.encoding
    return response.make_conditional(request)


def _once(pattern: re.Pattern[str], replacement: str, html: str) -> str:
    """The first match becomes the replacement, all others go."""
    first = pattern.search(html)
    if first is None:
        return html
    return html[: first.start()] + replacement + "\n" + pattern.sub("", html[first.end() :])


def _tag(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:24]
