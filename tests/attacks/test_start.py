"""K: starting, settings, and what the outermost door answers."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys

import pytest

from services import instance
from services.settings import ROOT, SHORTEST_KEY, Settings
from services.sources import open_sources
from tests.attacks import wire
from tests.attacks.matrix import METHODS, ask
from tests.attacks.server import SWITCHES
from tests.house import email_of

WEAK = ("changeme", "secret", "a" * 64, "x" * (SHORTEST_KEY - 1), "thisismysecretkey", "ab" * 20)
DEFAULTS = (("admin", "admin"), ("admin@example.com", "admin"), ("admin@localhost", "changeme"), ("root", "toor"))
PROJECT = (
    "/.git/config", "/.git/HEAD", "/app.py", "/requirements.txt", "/instance/app.db", "/app.db", "/data/app.db",
    "/assets/../app.py", "/assets/%2e%2e/app.py", "/assets/..%2fapp.py", "/assets/..%5capp.py", "/assets/", "/assets",
    "/.env", "/demo-accounts.json", "/secret.key", "/server-status", "/console", "/phpinfo.php", "/pyproject.toml",
    "/deploy/gunicorn.conf.py", "/_dash-component-suites/../app.py", "/tests", "/docs/security-coverage.md",
)  # fmt: skip


# ── starting ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("K-01")
@pytest.mark.parametrize("key", WEAK, ids=range(len(WEAK)))
def test_a_weak_key_is_refused_by_name_and_never_repeated(key, tmp_path):
    env = {"PATH": os.environ["PATH"], "LAKELIGHT_INSTANCE": str(tmp_path), "LAKELIGHT_SECRET_KEY": key}
    done = subprocess.run(
        [sys.executable, "cli.py", "serve"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode > 0
    assert "LAKELIGHT_SECRET_KEY must be at least 32 characters that nobody can guess." in said
    assert key not in said.replace("LAKELIGHT_SECRET_KEY", "") and "Traceback" not in said


@pytest.mark.attack("K-01")
def test_without_a_key_one_is_made_that_only_its_owner_reads_and_no_two_alike(tmp_path):
    from services.settings import secret_key

    keys = []
    for name in ("one", "two"):
        settings = Settings.from_env({"LAKELIGHT_INSTANCE": str(tmp_path / name)})
        keys.append(secret_key(settings))
        assert stat.S_IMODE((tmp_path / name / "secret.key").stat().st_mode) == 0o600
    assert len(set(keys)) == 2 and all(len(set(key)) > 20 and len(key) >= 64 for key in keys)


@pytest.mark.attack("K-02")
def test_a_fresh_installation_has_no_account_at_all(server, tmp_path):
    env = {"LAKELIGHT_INSTANCE": str(tmp_path), "LAKELIGHT_WORKSPACE": server.settings()["LAKELIGHT_WORKSPACE"]}
    settings = Settings.from_env(env)
    instance.prepare(settings, lambda line: None)
    sources = open_sources(settings)
    try:
        from data import people

        with sources.store.read() as session:
            assert list(people.everyone(session)) == []
    finally:
        sources.close()


@pytest.mark.attack("K-02")
def test_nobody_comes_in_by_a_default_account_and_there_is_no_page_to_set_up(anonymous):
    for email, password in DEFAULTS:
        assert anonymous().enter(email, password).status == 401
    client = anonymous()
    for path in ("/setup", "/install", "/register", "/sign-up", "/admin/setup", "/api/v1/setup"):
        assert client.get(path).location == f"/sign-in?next={path.replace('/', '%2F')}", path


@pytest.mark.attack("K-03")
def test_what_the_environment_switches_on_stays_off(server, sign_in):
    """The suite's server runs with every switch that Dash, Flask and Werkzeug listen to."""
    assert SWITCHES.items() <= server.settings().items()
    client = sign_in("hauswart")
    config = json.loads(re.search(r'id="_dash-config"[^>]*>(.*?)</script>', client.get("/account").text)[1])
    assert not {"hot_reload", "dev_tools"} & set(config)
    assert not config["ui"] and not config["props_check"] and config["disable_version_check"]
    assert client.get("/_reload-hash", accept="application/json").status == 404
    for asked in ("__debugger__=yes&cmd=resource&f=debugger.js", "__debugger__=yes&cmd=printpin&s=x"):
        for path in ("/", "/sign-in", "/account"):
            answer = client.get(f"{path}?{asked}")
            assert answer.status in (200, 302) and "EVALEX" not in answer.text and "function" not in answer.text[:50]


@pytest.mark.attack("K-04")
@pytest.mark.parametrize("path", ["/_mcp", "/_mcp/", "/_mcp/sse", "/_dash-ws-callback", "/_dash-ws"])
def test_the_tools_door_and_the_socket_of_dash_are_shut(sign_in, anonymous, path):
    client = sign_in("hauswart")
    for method in ("GET", "POST"):
        assert ask(client, method, path).status in (404, 405), method
    assert anonymous().get(path, accept="application/json").status == 401


@pytest.mark.attack("K-05")
def test_files_with_secrets_are_for_their_owner_alone(tmp_path):
    from services.settings import secret_key

    settings = Settings.from_env({"LAKELIGHT_INSTANCE": str(tmp_path)})
    secret_key(settings)
    open_to_others = [f.name for f in tmp_path.rglob("*") if f.is_file() and f.stat().st_mode & 0o077]
    assert open_to_others == []


# ── the outermost door ────────────────────────────────────────────────────────────────────────────


@pytest.mark.attack("K-07")
@pytest.mark.parametrize("path", PROJECT)
def test_files_of_the_project_are_not_there(sign_in, anonymous, path):
    """The answer to such a file is the answer to an address that was made up."""
    served = path.startswith(("/assets/", "/_dash-")) and path != "/assets/"
    for client in (anonymous(), sign_in("leitung")):
        got, made_up = client.get(path), client.get("/no-such-thing-8361")
        assert got.status == (404 if served else made_up.status)
        assert len(got.body) - (0 if served else len(made_up.body)) < 1_000
        for inside in ("create_app", "[core]", "ref: refs", "SQLite format", "Index of", "Directory listing"):
            assert inside not in got.text


@pytest.mark.attack("K-07", "G-06")
@pytest.mark.parametrize("path", ["/assets/", "/_dash-component-suites/", "/_dash-component-suites/dash", "/assets//"])
def test_what_only_begins_like_a_file_of_code_is_not_open_to_strangers(anonymous, path):
    answer = anonymous().get(path)
    assert answer.status in (302, 401, 404) and "_dash-config" not in answer.text


@pytest.mark.attack("K-08")
@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("GET", "HEAD", "POST")])
def test_an_odd_method_signs_nobody_in_and_runs_nothing(anonymous, sign_in, method):
    stranger, seller = anonymous(), sign_in("aussendienst")
    assert ask(stranger, method, "/leads.csv").status == 401
    answer = ask(seller, method, "/leads.csv?list=kuendigung&of=Winter/2024")
    assert answer.status in (200, 405) and b"canary" not in answer.body
    said = json.dumps({"output": "x"})
    headers = {"Content-Type": "application/json", "X-CSRFToken": seller.cookies["_csrf_token"]}
    assert not seller.request(method, "/_dash-update-component", body=said, headers=headers).has_data


@pytest.mark.attack("K-08")
def test_overriding_the_method_in_a_header_changes_nothing(sign_in):
    client = sign_in("leitung")
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
        client.request("GET", "/sign-out", headers={name: "POST"})
        assert client.is_in


@pytest.mark.attack("K-09")
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "evil\x01", "a b"]
)
def test_another_hosts_name_is_refused(server, host):
    for path in ("/", "/sign-in", "/account", "/healthz"):
        answer = wire.said(server, wire.request("GET", path, "Accept: text/html", host=host))
        assert wire.codes(answer) == [400], (path, answer[:80])
        assert b"evil" not in answer.split(b"\r\n\r\n")[0]


@pytest.mark.attack("K-09")
def test_our_own_names_are_not_refused(server):
    for host in ("127.0.0.1", f"127.0.0.1:{server.port}", "localhost"):
        assert wire.codes(wire.said(server, wire.request("GET", "/healthz", host=host))) == [200], host


@pytest.mark.attack("K-09")
def test_two_names_and_a_whole_address_are_refused_or_taken_for_the_path(server):
    two = wire.request("GET", "/sign-in", "Host: evil.example")
    assert wire.codes(wire.said(server, two)) == [400]
    whole = wire.said(server, wire.request("GET", "http://evil.example/account", "Accept: text/html"))
    assert wire.codes(whole) == [302] and b"Location: /sign-in?next=%2Faccount\r\n" in whole


@pytest.mark.attack("K-10")
def test_nobody_chooses_the_address_they_come_from(server, anonymous):
    client = anonymous()
    for turn in range(9):
        client.enter(email_of("ziel"), "a wrong password", X_Forwarded_For=f"203.0.113.{turn}", Forwarded="for=1.2.3.4")
    late = client.enter(email_of("ziel"), X_Forwarded_For="198.51.100.7", X_Real_IP="198.51.100.7")
    assert late.status == 401
    assert not server.sql("select 1 from sessions where address like '203.%' or address like '198.%'")


@pytest.mark.attack("K-10")
def test_forwarded_names_and_schemes_change_no_answer(anonymous):
    client = anonymous()
    odd = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"}
    answer = client.request("GET", "/account", headers={**odd, "Accept": "text/html"})
    assert answer.location == "/sign-in?next=%2Faccount"
    assert "Strict-Transport-Security" not in answer.headers and "evil" not in answer.text


@pytest.mark.attack("K-11")
def test_no_answer_says_what_serves_it_and_in_which_version(server, anonymous, sign_in):
    import gunicorn

    client = sign_in("leitung")
    answers = [client.get(path) for path in ("/account", "/healthz", "/no-such", "/assets/tokens.css", "/leads.csv")]
    answers += [anonymous().get("/sign-in"), client.get("/_dash-layout", accept="application/json")]
    raw = [wire.said(server, wire.request("GET", "/", "Broken header")), wire.said(server, b"x\r\n\r\n")]
    for answer in answers:
        assert {"Server", "X-Powered-By", "Via"} & set(answer.headers) == set()
        assert "python_version" not in answer.text
    for text in [
        *(a.text.lower() for a in answers if "css" not in a.headers["Content-Type"]),
        *(str(r).lower() for r in raw),
    ]:
        for word in ("gunicorn", "werkzeug", f"python/{sys.version_info[0]}", gunicorn.__version__):
            assert word not in text, word
