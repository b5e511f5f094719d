"""What every answer of the real server carries, whatever was asked: pages, refusals, code, files, redirects, errors."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from tests.attacks.canaries import Oracle
from tests.attacks.client import Answer, Client, query
from tests.attacks.server import Server
from tests.bakery import build
from tests.house import email_of

POLICY = {
    "default-src": "'none'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "manifest-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "object-src": "'none'",
}
EXACT = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
CODE = ("/_dash-component-suites/", "/assets/")
ASKED: dict[str, tuple[str, int, Callable[[Client], Answer]]] = {
    "the way in": ("", 200, lambda c: c.get("/sign-in")),
    "a stranger is sent to the way in": ("", 302, lambda c: c.get("/leads")),
    "a stranger's script": ("", 401, lambda c: c.get("/_dash-layout", accept="application/json")),
    "a stranger's form without a token": ("", 303, lambda c: c.form("/sign-in", {"email": "x"}, token="")),
    "wrong password": ("", 401, lambda c: c.enter("nobody@people.example", "not the password of anybody")),
    "alive": ("", 200, lambda c: c.get("/healthz")),
    "a style sheet": ("", 200, lambda c: c.get("/assets/tokens.css")),
    "no such style sheet": ("", 404, lambda c: c.get("/assets/nothing.css")),
    "the first page": ("aussendienst", 302, lambda c: c.get("/")),
    "a page": ("aussendienst", 200, lambda c: c.get("/account")),
    "no such page": ("aussendienst", 200, lambda c: c.get("/no-such-page")),
    "a page without its body": ("aussendienst", 200, lambda c: c.request("HEAD", "/account")),
    "a file": ("aussendienst", 200, lambda c: c.get(query("/leads.csv", list="kuendigung", of=build.OPEN_SEASON))),
    "no such list": ("aussendienst", 400, lambda c: c.get(query("/leads.csv", list="nothing"))),
    "a file one may not take": ("hauswart", 404, lambda c: c.get("/leads.csv?list=kuendigung")),
    "another method": ("aussendienst", 405, lambda c: c.request("DELETE", "/account")),
    "too large": ("aussendienst", 413, lambda c: c.post('{"a": "%s"}' % ("b" * 1_100_000))),
    "not understood": ("aussendienst", 400, lambda c: c.post("{")),
    "another kind": ("aussendienst", 415, lambda c: c.post("{}", Content_Type="text/plain")),
    "no such callback": ("aussendienst", 404, lambda c: c.post({"output": "nothing"})),
    "an answer of a callback": ("aussendienst", 200, lambda c: c.open("/leads")),
    "signing out": ("aussendienst", 302, lambda c: c.sign_out()),
}


@pytest.mark.attack("X-05", "X-06", "X-12", "K-11", "R-14")
@pytest.mark.parametrize("case", ASKED)
def test_every_answer_carries_every_header(anonymous, sign_in, case):
    who, status, ask = ASKED[case]
    answer = ask(sign_in(who) if who else anonymous())
    assert answer.status == status, answer.text[:300]
    told = dict(one.strip().partition(" ")[::2] for one in answer.headers["Content-Security-Policy"].split(";"))
    script = told.pop("script-src")
    assert told == POLICY
    assert re.fullmatch(r"'self' 'nonce-[A-Za-z0-9_-]{24}'", script)
    assert {name: answer.headers.get(name) for name in EXACT} == EXACT
    assert "Access-Control-Allow-Origin" not in answer.headers and "Server" not in answer.headers
    assert "Strict-Transport-Security" not in answer.headers  # the address is not one of https
    if "style sheet" not in case:
        assert answer.headers["Cache-Control"] == "no-store, private" and "Cookie" in answer.headers["Vary"]
    else:
        assert "Set-Cookie" not in answer.headers
    assert answer.headers.get_content_type() != "text/html" or "charset=utf-8" in answer.headers["Content-Type"].lower()


@pytest.mark.attack("X-05")
def test_each_page_has_a_nonce_of_its_own_and_no_script_goes_without(sign_in):
    client = sign_in("aussendienst")
    pages = [client.get("/leads") for _ in range(3)]
    said = [re.search(r"'nonce-([^']+)'", p.headers["Content-Security-Policy"]) for p in pages]
    nonces = [found[1] for found in said if found]
    assert len(set(nonces)) == 3
    for page, nonce in zip(pages, nonces, strict=True):
        scripts = re.findall(r"<script[^>]*>", page.text)
        assert len(scripts) > 4 and all(f'nonce="{nonce}"' in one for one in scripts)
        assert not re.findall(r"<[a-z][^>]*\son[a-z]+\s*=", page.text) and "javascript:" not in page.text
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)


@pytest.mark.attack("R-14")
def test_signing_out_clears_what_the_browser_kept_and_the_page_is_not_there_any_more(sign_in):
    client = sign_in("aussendienst")
    copied = client.copy()
    answer = client.sign_out()
    assert answer.headers["Clear-Site-Data"] == '"cache"' and answer.location == "/sign-in"
    assert not client.is_in and not copied.is_in


ELSEWHERE = (
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example",
    "http:///evil.example", "/%2f%2fevil.example", "%2f%2fevil.example", "/%5cevil.example", "javascript:alert(1)",
    "data:text/html,x", "/leads\r\nSet-Cookie: evil=1", "/leads%0d%0aSet-Cookie:%20evil=1", "/\t/evil.example",
    "/\n/evil.example", " //evil.example", "/leads/../..//evil.example", "/sign-in?next=//evil.example",
    "//evil.example/leads", "/.evil.example", "///evil.example", "/@evil.example", "@evil.example", "leads",
)  # fmt: skip
"""Where somebody might be sent after signing in, if any of it were believed."""


@pytest.mark.attack("X-09", "X-10")
@pytest.mark.parametrize("target", ELSEWHERE, ids=ascii)
def test_nobody_is_sent_elsewhere(anonymous, target):
    client = anonymous()
    answer = client.enter(email_of("aussendienst"), path=f"/sign-in?next={quote(target, safe='')}")
    assert answer.status == 302
    assert re.fullmatch(r"/(?:leads.*)?", answer.location) and "evil" not in answer.location.partition("?")[0], target
    assert {"evil"}.isdisjoint(answer.cookies)
    shown = anonymous().get(f"/sign-in?next={quote(target, safe='')}").text
    assert not re.search(r'action="(?!/sign-in)', shown) and "evil.example" not in shown


@pytest.mark.attack("X-10")
def test_a_name_in_a_request_cannot_write_a_header(sign_in):
    client = sign_in("aussendienst")
    for asked in ("kuendigung\r\nX-Evil: 1", 'kuendigung"; filename="evil.html', "kuendigung\x00"):
        answer = client.get(query("/leads.csv", list=asked, of=build.OPEN_SEASON))
        assert "X-Evil" not in answer.headers and "evil" not in answer.headers.get("Content-Disposition", "")
    answer = client.get("/account", X_Request_Id="evil\tid", Accept_Language="<script>")
    assert "evil" not in str(answer.headers) and "<script>" not in str(answer.headers)


FOREIGN = {
    "a form": ("application/x-www-form-urlencoded", "csrf_token=&email=x"),
    "text": ("text/plain", "{}"),
    "parts": (
        "multipart/form-data; boundary=b",
        '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n',
    ),
    "JSON": ("application/json", "{}"),
}


@pytest.mark.attack("X-08", "A-19")
@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("path", ["/sign-out", "/sign-in", "/_dash-update-component", "/view-as", "/view-as/end"])
def test_what_another_site_sends_does_nothing_even_with_the_token(sign_in, path, kind):
    client = sign_in("hauswart")
    content, body = FOREIGN[kind]
    for said in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        headers = {"Content-Type": content, "X-CSRFToken": client.token, **said}
        assert client.request("POST", path, body=body, headers=headers).status == 403
    headers = {"Content-Type": content, "Origin": client.origin, "Sec-Fetch-Site": "same-origin"}
    assert client.request("POST", path, body=body, headers=headers).status in (303, 400, 404, 405, 415)
    assert client.is_in


@pytest.mark.attack("X-08")
def test_reading_changes_nothing(sign_in):
    client = sign_in("hauswart")
    for path in ("/sign-out", "/view-as/end", "/sign-in/demo"):
        assert client.get(path).status in (200, 302, 404, 405)
    assert client.is_in


@pytest.fixture(scope="module")
def https_server(built_attacked, tmp_path_factory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("https")
    shutil.copytree(built_attacked, base / "instance")
    made = Server(base / "instance", base, Oracle(), environment={"LAKELIGHT_HTTPS": "yes"}, workers=1).start()
    yield made
    made.stop()


@pytest.mark.attack("X-06", "A-11")
def test_behind_https_every_answer_says_so_and_every_cookie_is_bound_to_the_host(https_server):
    client = Client(https_server)
    form = client.get("/sign-in")
    token = re.search(r'name="csrf_token" value="([^"]+)"', form.text)
    assert token
    said = {"email": email_of("aussendienst"), "password": client.enter.__globals__["PASSWORD"]}
    entered = client.form("/sign-in", said, token=token[1])
    page = client.get("/account")
    for answer in (form, entered, page, client.get("/nothing"), client.get("/assets/tokens.css"), client.post("{")):
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
        for name, line in answer.cookies.items():
            assert name.startswith("__Host-") and "Secure" in line and "Path=/" in line and "Domain" not in line, line
            assert "SameSite" in line and len(line) < 4096
    assert set(client.cookies) == {"__Host-lakelight", "__Host-csrf_token"}
    assert "HttpOnly" in entered.cookies["__Host-lakelight"]
    assert '"csrf_token_name": "__Host-csrf_token"' in page.text or '"csrf_token_name":"__Host-csrf_token"' in page.text
