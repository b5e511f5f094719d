"""U: the audit log of real acts, what breaks, and what monitoring doors tell."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from services.settings import ROOT
from tests.attacks.canaries import CANARY, PASSWORD
from tests.attacks.client import Client
from tests.attacks.people import press
from tests.attacks.test_rights import ASKED, DRAWER, GRID, MOVE, WINDOW, a_key
from tests.house import email_of

FILE = "/leads.csv?list=kuendigung&of=Winter/2024"


def counted(server, who: str) -> dict[str, int]:
    """How often each act of somebody stands in the log."""
    said = "select act || ':' || allowed, count(*) from audit_events where person = ? group by 1"
    return dict(server.sql(said, email_of(who)))


def grown(server, who: str, act: Callable[[], object]) -> dict[str, int]:
    """What an act added to the log, by kind and outcome."""
    before = counted(server, who)
    act()
    return {k: n - before.get(k, 0) for k, n in counted(server, who).items() if n != before.get(k, 0)}


@pytest.mark.attack("U-01")
def test_each_act_of_a_seller_leaves_exactly_one_event(server, sign_in, anonymous):
    seller: list[Client] = []
    who = "aussendienst:zwei"
    assert grown(server, who, lambda: seller.append(sign_in(who))) == {"sign_in:1": 1}
    client = seller[0]
    key = a_key(client)
    assert grown(server, who, lambda: client.get(FILE)) == {"leads.export:1": 1}
    assert grown(server, who, lambda: client.open(f"/leads/{key}?list=kuendigung")) == {"lead.open:1": 1}
    assert grown(server, who, lambda: client.open("/admin/people")) == {"page.open:0": 1}
    assert grown(server, who, lambda: client.open("/admin/audit")) == {"page.open:0": 1}
    said = client.body(GRID, [WINDOW], [ASKED])
    malformed = {**said, "inputs": []}
    assert grown(server, who, lambda: client.post(malformed)) == {"callback.run:0": 1}
    assert grown(server, who, lambda: anonymous().enter(email_of(who), "a wrong password")) == {"sign_in:0": 1}
    assert grown(server, who, client.sign_out) == {"sign_out:1": 1}


@pytest.mark.attack("U-01")
def test_each_act_of_an_administrator_leaves_exactly_one_event(server, sign_in):
    admin, who = sign_in("hauswart"), "hauswart"
    fields, tour = {"name": "opfer zwei", "role": "aussendienst"}, {"tour": ["Nord/See"]}
    for act, event in (("disable", "person.disable"), ("enable", "person.enable"), ("sign_out", "person.sign_out")):
        if act == "sign_out":
            sign_in("opfer")
        assert grown(server, who, lambda a=act: press(admin, a, of="opfer")) == {f"{event}:1": 1}, act
    changed = grown(server, who, lambda: press(admin, "save", of="opfer", fields=fields, attributes=tour))
    assert changed == {"person.change:1": 1}
    press(admin, "save", of="opfer", fields={**fields, "name": "opfer"}, attributes=tour)
    number = server.person_id("aussendienst")
    assert grown(server, who, lambda: admin.form(f"/view-as/{number}", {})) == {"person.view:1": 1}
    assert grown(server, who, lambda: admin.form("/view-as/end", {})) == {"person.view_end:1": 1}


@pytest.mark.attack("U-01", "U-06")
def test_an_event_says_who_what_when_and_why_and_never_what_a_row_holds(server, sign_in):
    client = sign_in("aussendienst")
    key = a_key(client)
    client.fire(DRAWER, [{"key": key}], [ASKED])
    client.fire(MOVE, [{"list": "kuendigung", "key": key, "edits": {"rabatt": "3"}}])
    client.fire(GRID, [WINDOW], [{**ASKED, "q": "Haus"}])
    rows = server.sql("select at, person_id, person, act, resource, allowed, reason, detail from audit_events")
    assert len(rows) > 20
    for at, number, person, act, _resource, allowed, reason, _detail in rows:
        assert at.endswith("+00:00") and person and act, (at, act)
        assert allowed or reason, act
        assert number or act in ("sign_in", "person.add", "password.change") or "@" not in person, (person, act)
    whole = json.dumps(rows)
    assert "canary-owner" not in whole and "canary-phone" not in whole


@pytest.mark.attack("U-02")
@pytest.mark.parametrize(
    "damage",
    [
        "update audit_events set person = 'somebody@else' where id = (select max(event_id) from audit_seals) - 3",
        "delete from audit_events where id = (select max(event_id) from audit_seals) - 3",
        "update audit_events set at = '2020-01-01T00:00:00.000000+00:00' where id = 3",
        "delete from audit_seals where position > (select max(position) from audit_seals) - 4",
    ],
    ids=["edited", "deleted", "dated back", "cut"],
)
def test_a_changed_log_is_told_by_the_operators_command(built_attacked, tmp_path, damage):
    """On a copy: sealed and anchored as the worker does, changed with SQL, verified by ``cli.py audit verify``."""
    from services import audit_seals
    from services.settings import Settings
    from services.sources import open_sources
    from tests.bakery import build

    shutil.copytree(built_attacked, tmp_path / "instance")
    env = {"LAKELIGHT_INSTANCE": str(tmp_path / "instance"), "LAKELIGHT_WORKSPACE": str(build.WORKSPACE)}
    sources = open_sources(Settings.from_env(env))
    try:
        audit_seals.seal(sources)
    finally:
        sources.close()
    verify = [sys.executable, "cli.py", "audit", "verify"]
    whole = subprocess.run(verify, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert whole.returncode == 0 and "sealed and unchanged" in whole.stdout, whole.stderr
    with closing(sqlite3.connect(tmp_path / "instance" / "app.db")) as link, link:
        assert link.execute(damage).rowcount > 0
    told = subprocess.run(verify, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert told.returncode > 0 and told.stderr.strip() and "Traceback" not in told.stderr


@pytest.mark.attack("U-03")
def test_while_the_log_cannot_be_written_nothing_is_exported_and_nobody_comes_in(own_server, addresses):
    """A log that refuses every event: sign-in and export fail closed, and go on when it takes them again."""
    client = Client(own_server, address=next(addresses)).sign_in("aussendienst")
    late = Client(own_server, address=next(addresses))
    token = late.token
    client.may_break = late.may_break = True
    with closing(sqlite3.connect(own_server.instance / "app.db", isolation_level=None)) as link:
        link.execute("create trigger no_log before insert on audit_events begin select raise(abort, 'full'); end")
        taken = client.get(FILE)
        entered = late.form("/sign-in", {"email": email_of("leitung"), "password": PASSWORD}, token=token)
        link.execute("drop trigger no_log")
        assert taken.status in (500, 503) and not CANARY.search(taken.text)
        assert entered.status == 500 and not late.is_in
    client.may_break = False
    assert client.get(FILE).status == 200


@pytest.mark.attack("U-10")
def test_monitoring_doors_say_one_word(anonymous):
    client = anonymous()
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz", accept="application/json").json == {"ready": True}
    for path in ("/metrics", "/metrics/", "/debug", "/status", "/info", "/env"):
        assert client.get(path, accept="application/json").status == 401
