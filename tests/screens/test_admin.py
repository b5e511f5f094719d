"""Data, jobs, people, access, audit, check and one's own account on the screen: who sees what, and what an act does."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from data import audit_log
from data import jobs as job_log
from data import people as people_table
from data.tables import SignInSession
from services import jobs, links, people
from services import sign_in as way_in
from tests.bakery import build
from tests.house import PASSWORD, House, email_of, texts

ADMIN, SELLER, ANALYST = "hauswart", "aussendienst", "tueftlerei"
ACT = "..people-head.children...people-list.children...people-panel.children.."
TICK = "..jobs-open.children...jobs-finished.children...jobs-tick.disabled...jobs-shown.data.."
AUDIT = "..audit-events.children...audit-href.data.."
PASSWORD_FORM = "account-password.children"
SESSIONS = "account-sessions.children"


@pytest.fixture
def house(own_bakery: House) -> House:
    """A bakery of one's own in which nobody is signed in yet."""
    own_bakery.client().get("/healthz")
    with own_bakery.sources.store.begin() as session:
        session.query(SignInSession).delete()
    return own_bakery


def number_of(house: House, who: str) -> int:
    with house.sources.store.read() as session:
        return people_table.by_email(session, email_of(who)).id


def pressed(**id_: str) -> str:
    """How the browser names the button that was pressed."""
    return json.dumps(id_, sort_keys=True, separators=(",", ":")) + ".n_clicks"


def press(
    house: House, client: Any, act: str, *, of: Any = "", fields: dict[str, Any] | None = None,
    attributes: dict[str, Any] | None = None, seen: str = "",
) -> tuple[str, int]:  # fmt: skip
    """Press a button of the form of a person; gives the words of the new panel."""
    inputs = [[{"id": {"act": act, "type": "people-do"}, "property": "n_clicks", "value": 1}]]
    state = [
        [
            {"id": {"name": n, "type": "people-field"}, "property": "value", "value": v}
            for n, v in (fields or {}).items()
        ],
        [
            {"id": {"name": n, "type": "people-attribute"}, "property": "value", "value": v}
            for n, v in (attributes or {}).items()
        ],
        str(of),
        [{"id": {"name": "seen", "type": "people-seen"}, "property": "data", "value": seen}] if seen else [],
    ]
    answer = house.fire(client, ACT, inputs, state, changed=[pressed(act=act, type="people-do")])
    if answer.status_code != 200:
        return "", answer.status_code
    panel = answer.get_json()["response"].get("people-panel", {}).get("children", [])
    return " ".join(texts(panel)), 200


def start(house: House, client: Any, kind: str, subject: str | None = "*") -> Any:
    """Press a start button of the jobs page."""
    output = next(o for o in house.app.callback_map if o.startswith("..jobs-open.children@"))
    inputs = [[{"id": {"kind": kind, "type": "jobs-start"}, "property": "n_clicks", "value": 1}]]
    state = [[{"id": {"kind": kind, "type": "jobs-subject"}, "property": "value", "value": subject}]]
    return house.fire(client, output, inputs, state, changed=[pressed(kind=kind, type="jobs-start")])


def cancel(house: House, client: Any, job: str, clicks: int = 1) -> Any:
    """Press the cancel button of a job."""
    output = next(o for o in house.app.callback_map if "jobs-said" in o)
    inputs = [{"id": {"job": job, "type": "jobs-cancel"}, "property": "n_clicks", "value": clicks}]
    body = house.body(output, inputs, changed=[pressed(job=job, type="jobs-cancel")])
    body["outputs"] = {"id": {"job": job, "type": "jobs-said"}, "property": "children"}
    return house.post(client, body)


# ── data ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_data_page_says_what_a_dataset_is_and_what_is_invented(bakery):
    said = bakery.words(bakery.sign_in(ANALYST), "/data?dataset=abnehmer")
    for words in (
        "ein Abnehmer", "Inhaberin, Telefon are invented.", "Zwei Jahre einer Grossbäckerei.",
        "As of 30 Nov 2024, the newest day of the data", "all of them", "stamm/abnehmer.parquet", "hidden",
    ):  # fmt: skip
        assert words in said, words


def test_the_data_page_shows_no_row(bakery):
    client = bakery.sign_in(ANALYST)
    said = " ".join(bakery.words(client, f"/data?dataset={d}") for d in bakery.sources.workspace.lake.datasets)
    for value in ("Zürich", "Haus 001", "+41 44 555", "Inhaberin001", "Gipfeli"):
        assert value not in said


@pytest.mark.parametrize("dataset", ["nope", "../../etc/passwd", "<script>", "x" * 3_000])
def test_a_dataset_that_is_not_there_is_one_sentence(bakery, dataset):
    client = bakery.sign_in(ANALYST)
    said = bakery.words(client, f"/data?dataset={dataset}")
    assert "There is no dataset named" in said and "Choose one of the list." in said


def test_doors_lead_only_where_one_may_go(bakery):
    assert "/admin/check" not in bakery.words(bakery.sign_in(ANALYST), "/data")
    said = bakery.words(bakery.sign_in(ADMIN), "/data")
    assert "/admin/check" in said and "/jobs" in said


# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_is_started_seen_and_cancelled(house):
    client = house.sign_in(ADMIN)
    assert "Nothing runs or waits now." in house.words(client, "/jobs")
    answer = start(house, client, "publish", "lieferungen").get_json()["response"]
    assert answer["jobs-tick"]["disabled"] is False, "what is open is looked at again"
    said = " ".join(texts(answer["jobs-open"]["children"]))
    assert "Publish data: Lieferungen" in said and "Waits for the worker." in said
    job = jobs.list_jobs(house.viewer(ADMIN), house.sources)[0]
    assert (job.state, job.subject) == ("waiting", "lieferungen")
    assert "Cancelled" in cancel(house, client, job.id).get_data(as_text=True)
    assert jobs.list_jobs(house.viewer(ADMIN), house.sources)[0].state == "cancelled"
    later = house.fire(client, TICK, [1], ["before"]).get_json()["response"]
    assert later["jobs-tick"]["disabled"] is True, "nothing is open: nothing is asked any more"
    assert "Cancelled by hauswart." in " ".join(texts(later["jobs-finished"]["children"]))


def test_a_button_that_only_appears_cancels_nothing(house):
    """The list is drawn anew with each poll; a button that comes with it was not pressed."""
    client = house.sign_in(ADMIN)
    start(house, client, "sync")
    job = jobs.list_jobs(house.viewer(ADMIN), house.sources)[0]
    cancel(house, client, job.id, clicks=0)
    assert jobs.list_jobs(house.viewer(ADMIN), house.sources)[0].state == "waiting"


def test_the_finished_part_is_left_alone_while_it_is_the_same(house):
    client = house.sign_in(ADMIN)
    first = house.fire(client, TICK, [1], [None]).get_json()["response"]
    again = house.fire(client, TICK, [2], [first["jobs-shown"]["data"]]).get_json()["response"]
    assert "jobs-finished" in first and "jobs-finished" not in again


def test_the_same_work_is_not_queued_twice(house):
    client = house.sign_in(ADMIN)
    for _ in range(3):
        start(house, client, "score")
    assert [j.kind for j in jobs.list_jobs(house.viewer(ADMIN), house.sources) if j.state == "waiting"] == ["score"]


@pytest.mark.parametrize(
    ("kind", "subject"), [("drop", "*"), ("publish", "nope"), ("score", "'; drop table jobs"), ("", "*")]
)
def test_a_job_that_cannot_be_is_a_sentence_and_no_job(house, kind, subject):
    client = house.sign_in(ADMIN)
    before = len(jobs.list_jobs(house.viewer(ADMIN), house.sources))
    answer = start(house, client, kind, subject)
    assert answer.status_code in (200, 204)
    if kind:
        assert "must be one of" in answer.get_data(as_text=True)
    assert len(jobs.list_jobs(house.viewer(ADMIN), house.sources)) == before


def test_a_waiting_job_says_when_no_worker_takes_it(house):
    client = house.sign_in(ADMIN)
    start(house, client, "sync")
    assert "has not taken up the work" not in house.words(client, "/jobs")
    house.sources.clock.move(timedelta(minutes=5))
    assert "The worker has not taken up the work for 5 min 0 s." in house.words(client, "/jobs")


def test_a_running_job_shows_its_step_and_a_finished_one_its_whole_message(house):
    client, long = house.sign_in(ADMIN), "Alles gut. " * 60
    with house.sources.store.begin() as session:
        for state, message in (("running", "Scoring and explaining kuendigung."), ("failed", long)):
            job_log.create(session, id=f"score-{state}", kind="score", subject="", at=house.sources.clock())
            at = house.sources.clock()
            ended = {"finished_at": at} if state == "failed" else {}
            job_log.change(session, f"score-{state}", state=state, message=message, progress=40, started_at=at, **ended)
    said = house.words(client, "/jobs")
    assert "Scoring and explaining kuendigung." in said and "40 %" in said and long.strip() in said


# ── people ────────────────────────────────────────────────────────────────────────────────────────


def test_somebody_is_added_and_the_link_is_shown_once(house):
    client = house.sign_in(ADMIN)
    said, _ = press(
        house, client, "add", of="new", fields={"name": "Neu", "email": "neu@people.example", "role": "aussendienst"},
        attributes={"tour": ["Nord/See"]},
    )  # fmt: skip
    assert "Neu is added. They choose their password here:" in said
    link = next(w for w in said.split() if "/welcome/" in w)
    assert link.startswith("http://127.0.0.1:8050/welcome/"), "by the settings, not by the request"
    assert links.opened(house.sources, link.rpartition("/")[2]).email == "neu@people.example"
    number = next(p.id for p in people.list_people(house.viewer(ADMIN), house.sources) if p.name == "Neu")
    for address in ("/admin/people", f"/admin/people?person={number}", "/admin/audit"):
        assert link.rpartition("/")[2] not in house.words(client, address)


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(house):
    client = house.sign_in(ADMIN)
    inputs = {"name": "Neu", "email": "nobody", "role": "aussendienst"}
    said, _ = press(house, client, "add", of="new", fields=inputs, attributes={"tour": ["Süd & Tal"]})
    assert "An e-mail must look like name@company, got 'nobody'." in said
    for kept in ("Neu", "nobody", "aussendienst", "Süd & Tal"):
        assert kept in said, kept


def test_a_role_is_changed_and_the_list_follows(house):
    client, number = house.sign_in(ADMIN), number_of(house, SELLER)
    said, _ = press(
        house, client, "save", of=number, fields={"name": "Vera", "role": "leitung"}, attributes={"tour": []}
    )
    assert "Saved. It holds from their next request on." in said
    assert "Geschäftsleitung" in house.words(client, f"/admin/people?person={number}")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("disable", "Disabled, and signed out everywhere."),
        ("sign_out", "Signed out: 1 session ended."),
    ],
)
def test_each_act_on_somebody_says_what_it_did_and_ends_their_session(house, act, said):
    other, client = house.sign_in(SELLER), house.sign_in(ADMIN)
    words, _ = press(house, client, act, of=number_of(house, SELLER))
    assert said in words
    assert other.document("/account").status_code == 302


@pytest.mark.parametrize("act", ["disable", "sign_out", "link", "factor", "save"])
def test_nobody_acts_on_their_own_account_here(house, act):
    client = house.sign_in(ADMIN)
    fields = {"name": "x", "role": "leitung"}
    words, _ = press(house, client, act, of=number_of(house, ADMIN), fields=fields)
    refused = ("Nobody can", "Your own", "your account")
    assert any(r in words for r in refused), words
    assert client.document("/account").status_code == 200
    assert house.words(client, "/admin/people").count("Hauswart") >= 1


@pytest.mark.parametrize("of", ["", "new", "0", "-1", "99999", "abc", "1 or 1=1", "9" * 400, "²"])
def test_a_forged_person_is_a_sentence(house, of):
    client = house.sign_in(ADMIN)
    for act in ("save", "disable", "link", "factor", "sign_out", "no-such-act"):
        words, status = press(house, client, act, of=of, fields={"name": "x", "role": "leitung"})
        assert status == 200
        assert "There is no such" in words, (act, of, words)
    assert "There is no such person." in house.words(client, "/admin/people?person=12345")


def test_only_who_may_manage_people_can_press(house):
    for who in ("leitung", SELLER, ANALYST):
        client = house.sign_in(who)
        assert press(house, client, "disable", of=number_of(house, ADMIN))[1] == 404
    assert house.sign_in(ADMIN).document("/account").status_code == 200


def test_the_home_of_the_administrator_says_what_needs_a_look(house):
    (house.sources.settings.lake / "stamm" / "abnehmer.parquet").write_bytes(b"half")
    from services import refresh

    refresh.refresh(house.sources)
    client = house.sign_in(ADMIN)
    house.open(house.sign_in(SELLER), "/jobs")
    said = house.words(client, "/admin/people")
    assert "abnehmer.parquet is damaged or only half written and cannot be read." in said
    assert "in the last 7 days" in said
    check = house.words(client, "/admin/check")
    assert "abnehmer.parquet is damaged" in check and "Correct the file" in check


# ── access ────────────────────────────────────────────────────────────────────────────────────────


def test_the_policy_reads_in_words_by_role_and_by_person(bakery):
    client = bakery.sign_in(ADMIN)
    role = bakery.words(client, "/admin/access?role=aussendienst")
    for words in (
        "Take a list away as a file",
        "Tour is the person's tour.",
        "Sensitive columns are hidden.",
        "access.yml",
    ):
        assert words in role, words
    person = bakery.words(client, f"/admin/access?person={number_of(bakery, 'aussendienst:süd')}")
    known = build.houses()
    assert "Tour is Süd & Tal." in person and str(int((known.tour == "Süd & Tal").sum())) in person


@pytest.mark.parametrize("query", ["role=nope", "person=0", "person=abc", "person=" + "9" * 50, "person=-1"])
def test_who_is_not_there_is_one_sentence(bakery, query):
    said = bakery.words(bakery.sign_in(ADMIN), f"/admin/access?{query}")
    assert "There is no" in said and "Choose one of the list." in said


# ── audit ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_log_is_narrowed_and_the_address_follows(house):
    client = house.sign_in(ADMIN)
    house.open(house.sign_in(SELLER), "/jobs")
    answer = house.fire(client, AUDIT, ["page.open", email_of(SELLER), [None, None], "denied"]).get_json()["response"]
    assert (
        answer["audit-href"]["data"] == "/admin/audit?act=page.open&person=aussendienst%40people.example&outcome=denied"
    )
    said = " ".join(texts(answer["audit-events"]["children"]))
    assert "Refused: opened a page" in said and "The role Aussendienst does not include jobs:read." in said
    assert house.words(client, answer["audit-href"]["data"]).count("Refused: opened a page") == said.count(
        "Refused: opened a page"
    )


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=x", "from=yesterday", "outcome=maybe", "from=2024-12-02&to=2024-12-01", "page=" + "9" * 40],
)
def test_an_address_that_cannot_be_asked_is_one_sentence(bakery, query):
    said = bakery.words(bakery.sign_in(ADMIN), f"/admin/audit?{query}")
    assert "must" in said and "Traceback" not in said


@pytest.mark.parametrize("value", [1, {}, ["a"], "x" * 9_000, True])
def test_odd_values_of_the_filters_are_no_error(house, value):
    client = house.sign_in(ADMIN)
    answer = house.fire(client, AUDIT, [value, value, value, value])
    assert answer.status_code == 200
    assert "Something went wrong" not in answer.get_data(as_text=True)


def test_no_event_matches_is_a_state_of_its_own(house):
    said = house.words(house.sign_in(ADMIN), "/admin/audit?act=nothing.like.this")
    assert "No event matches these filters." in said


# ── one's own account ─────────────────────────────────────────────────────────────────────────────


def test_the_account_says_what_one_is_and_sees_and_why(bakery):
    said = bakery.words(bakery.sign_in(SELLER), "/account")
    known = build.houses()
    rows = int((known.tour == "Nord/See").sum())
    for words in (
        f"{rows:,} of {len(known):,}",
        "Tour is Nord/See.",
        "Tour: Nord/See",
        "See scored rows and their reasons",
    ):
        assert words in said, words


def test_other_sessions_are_ended_from_here(house):
    client, other = house.sign_in(SELLER), house.sign_in(SELLER)
    answer = house.fire(
        client, SESSIONS, [[{"id": {"key": "all", "type": "account-end"}, "property": "n_clicks", "value": 1}]],
        changed=[pressed(key="all", type="account-end")],
    )  # fmt: skip
    assert re.search(r"\d+ sessions? ended\.", answer.get_data(as_text=True))
    assert client.document("/account").status_code == 200 and other.document("/account").status_code == 302


def test_the_password_is_changed_with_the_current_one(house):
    client, new = house.sign_in(SELLER), "eine ganz andere Losung"
    wrong = house.fire(client, PASSWORD_FORM, [1], ["wrong", new, new]).get_data(as_text=True)
    assert "This is not your current password." in wrong and new not in wrong
    right = house.fire(client, PASSWORD_FORM, [1], [PASSWORD, new, new]).get_data(as_text=True)
    assert "Your password is changed." in right and new not in right
    assert way_in.sign_in(house.sources, email=email_of(SELLER), password=new, address="x")


@pytest.mark.parametrize("value", [None, 7, ["x"], {"a": 1}])
def test_odd_passwords_are_no_error(house, value):
    client = house.sign_in(SELLER)
    proof = house.fire(client, PASSWORD_FORM, [1], [value, value, value])
    assert proof.status_code == 200 and "This is not your current password." in proof.get_data(as_text=True)
    answer = house.fire(client, PASSWORD_FORM, [1], [PASSWORD, value, value])
    assert answer.status_code == 200 and "must have 12 to 1024 characters" in answer.get_data(as_text=True)


# ── nothing that must stay inside comes out ───────────────────────────────────────────────────────


def test_no_page_of_an_administrator_shows_a_hash_a_row_or_a_secret(house):
    client = house.sign_in(ADMIN)
    house.words(house.sign_in(SELLER), "/leads")
    said = " ".join(
        house.words(client, address)
        for address in ("/admin/people", "/admin/people?person=2", "/admin/access", "/admin/access?person=2",
                        "/admin/audit", "/admin/check", "/data", "/jobs", "/account")
    )  # fmt: skip
    for secret in ("$argon2", PASSWORD, house.sources.settings.secret_key, "+41 44 555", "Inhaberin0", "Haus 0"):
        assert secret not in said, secret
    with house.sources.store.read() as session:
        assert audit_log.found(session)[1] > 0


def test_a_disabled_person_is_erased_by_typing_their_address_and_an_enabled_one_is_not(house: House):
    client, number = house.sign_in(ADMIN), number_of(house, SELLER)
    assert "Erase the person" not in house.words(client, f"/admin/people?person={number}")
    press(house, client, "disable", of=number)
    assert "Erase the person" in house.words(client, f"/admin/people?person={number}")
    words, _ = press(house, client, "erase", of=number, fields={"erase": "no"})
    assert "Type the e-mail of the person to erase." in words
    words, _ = press(house, client, "erase", of=number, fields={"erase": email_of(SELLER)})
    assert f"Erased. They are Erased person {number}" in words and email_of(SELLER) not in words
    shown = house.words(client, f"/admin/people?person={number}")
    assert "This person was erased" in shown and "Enable" not in shown
    assert press(house, house.sign_in(ANALYST), "erase", of=number)[1] == 404
