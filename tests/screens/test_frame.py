"""The frame: few requests, code that is compressed and cached for a year, entries of the role, a tray for some."""

from __future__ import annotations

import gzip
import json
import re
import threading
import time

import brotli
import pytest

from data import jobs as job_log
from tests.house import House, texts

OWN = re.compile(r'(?:href|src)="(/assets/[^"]+)"')
SUITE = re.compile(r'src="(/_dash-component-suites/[^"]+)"')
FOREVER = "public, max-age=31536000, immutable"


def get(client, address, encoding=""):
    return client.get(address, headers={"Accept-Encoding": encoding} if encoding else {})


@pytest.fixture
def document(bakery):
    client = bakery.sign_in("hauswart")
    return client, client.document("/account").get_data(as_text=True)


def test_the_document_names_one_style_one_script_and_no_unused_library(document):
    _, html = document
    own = OWN.findall(html)
    assert [re.sub(r"[0-9a-f]{24}", "#", a) for a in own if not a.endswith((".png",))] == [
        "/assets/favicon.svg?v=#", "/assets/all.#.css", "/assets/all.#.js",
    ]  # fmt: skip
    assert "/dash_table/" not in html
    assert "python_version" not in html
    assert all("nonce=" in tag for tag in re.findall(r"<script[^>]*>", html))


def test_all_code_is_compressed_and_kept_for_a_year(document):
    client, html = document
    for address in [*OWN.findall(html), *SUITE.findall(html)]:
        plain = get(client, address)
        assert plain.headers["Cache-Control"] == FOREVER, address
        assert plain.headers["Vary"] == "Accept-Encoding"
        assert "Content-Encoding" not in plain.headers
        for encoding, opened in (("br", brotli.decompress), ("gzip", gzip.decompress)):
            packed = get(client, address, encoding)
            assert packed.headers["Content-Encoding"] == encoding
            assert opened(packed.data) == plain.data
            assert packed.headers["ETag"] != plain.headers["ETag"]
        assert get(client, address, "br;q=0, gzip").headers["Content-Encoding"] == "gzip"
        again = client.get(
            address, headers={"Accept-Encoding": "br", "If-None-Match": get(client, address, "br").headers["ETag"]}
        )
        assert (again.status_code, again.data) == (304, b"")


def test_a_bundle_without_a_fingerprint_is_kept_for_a_day(document):
    client, _ = document
    answer = get(client, "/_dash-component-suites/plotly/package_data/plotly.min.js", "br")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"].startswith("public, max-age=86400")


def test_fonts_in_the_style_sheet_change_their_address_with_their_content(document):
    client, html = document
    style = next(a for a in OWN.findall(html) if a.endswith(".css"))
    fonts = re.findall(r'url\("(/assets/fonts/[^"]+)"\)', get(client, style).get_data(as_text=True))
    assert len(fonts) >= 2
    for font in fonts:
        answer = get(client, font, "br")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, FOREVER)
        assert "Content-Encoding" not in answer.headers


def test_a_name_of_other_content_is_not_kept_for_a_year(document):
    client, html = document
    script = next(a for a in OWN.findall(html) if a.endswith(".js"))
    other = re.sub(r"[0-9a-f]{24}", "0" * 24, script)
    assert get(client, other).headers["Cache-Control"] != FOREVER
    assert get(client, "/assets/favicon.svg?v=1").headers["Cache-Control"] != FOREVER


@pytest.mark.parametrize("name", ["nothing.css", ".hidden", "fonts", "fonts/nothing.woff2", "all.0.css", "..%2fapp.py"])
def test_what_is_not_there_is_not_served(document, name):
    client, _ = document
    assert get(client, f"/assets/{name}").status_code == 404


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e/app.py", "fonts/../../app.py", "//etc/passwd", "..%5capp.py"])
def test_nothing_outside_the_assets_is_served(document, name):
    client, _ = document
    found = get(client, f"/assets/{name}").get_data(as_text=True)
    assert "create_app" not in found
    assert "root:" not in found


def test_a_bundle_that_no_library_registered_is_not_served(document):
    client, _ = document
    for address in ("dash/dash.py", "dash/../app.py", "flask/app.py", "dash/dash_table/commons.js"):
        assert get(client, f"/_dash-component-suites/{address}", "br").status_code >= 300


def test_code_is_served_to_those_who_are_not_signed_in_and_holds_no_names(bakery, document):
    _, html = document
    stranger = bakery.client()
    for address in OWN.findall(html):
        answer = get(stranger, address)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert b"hauswart" not in answer.data


# ── who sees what ─────────────────────────────────────────────────────────────────────────────────


def frame(house, who):
    return house.sign_in(who).get("/_dash-layout").get_json()


@pytest.mark.parametrize("who", ["leitung", "aussendienst", "tueftlerei", "hauswart"])
def test_the_bar_holds_the_entries_of_the_role(bakery, who):
    said = " ".join(texts(frame(bakery, who)))
    role = bakery.sources.workspace.access.roles[who]
    for entry in role.entries:
        assert f"{entry.label} {entry.path}" in said
    assert ("ll-tray-list" in said) == ("jobs:read" in role.actions)


def test_the_tray_shows_open_work_with_its_progress_and_what_ended(own_bakery):
    at = own_bakery.sources.clock()
    with own_bakery.sources.store.begin() as session:
        job_log.create(session, id="score-1", kind="score", subject="kuendigung", at=at)
        job_log.change(session, "score-1", state="running", progress=40, message="1,000 of 2,500 rows", started_at=at)
        job_log.create(session, id="sync-1", kind="sync", subject="", at=at)
        job_log.change(session, "sync-1", state="failed", message="The registry does not answer.", finished_at=at)
    client = own_bakery.sign_in("hauswart")
    answer = own_bakery.fire(client, "ll-tray-list.children", [1]).get_json()["response"]
    said = " ".join(texts(answer["ll-tray-list"]["children"]))
    assert answer["ll-tray-count"]["children"] == "1"
    assert "Score and explain: Kündigungsrisiko: 40 %" in said
    assert said.index("1,000 of 2,500 rows") < said.index("The registry does not answer.")


def test_nobody_else_gets_the_trays_news(bakery):
    client = bakery.sign_in("aussendienst")
    assert bakery.fire(client, "ll-tray-list.children", [1]).status_code == 404
    listed = json.dumps(client.get("/_dash-dependencies").get_json())
    assert "ll-tray" not in listed


def test_first_requests_side_by_side_all_find_their_code(bakery):
    """Dash notes that it has prepared itself before it has: another thread would find no script registered."""
    house = House(bakery.sources, bakery.people)
    prepare, begun = house.app._generate_scripts_html, threading.Event()

    def slowly():
        begun.set()
        time.sleep(0.3)
        return prepare()

    house.app._generate_scripts_html = slowly
    address = "/_dash-component-suites/plotly/package_data/plotly.min.js"
    first = threading.Thread(target=lambda: house.client().get(address))
    first.start()
    assert begun.wait(10)
    assert house.client().get(address).status_code == 200
    first.join()
