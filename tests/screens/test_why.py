"""Why somebody sees a row: the answer is what they see, for every person, dataset and row, and tells no value."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from deltalake import DeltaTable
from sqlalchemy import select

from data.tables import AuditEvent, Person
from services import access, why
from services.errors import Forbidden, InvalidQuery, NotFound
from tests.house import House, email_of, texts
from tests.instances import BAKERY_PEOPLE

ADMIN, SELLER = "hauswart", "aussendienst"


def person_id(house: House, who: str) -> int:
    with house.sources.store.read() as session:
        return session.scalar(select(Person.id).where(Person.email == email_of(who)))


def rows(house: House, dataset: str) -> list[dict[str, Any]]:
    """Published rows as pandas reads them, a few of each tour."""
    table = DeltaTable(str(house.sources.settings.published / dataset)).to_pyarrow_table().to_pandas()
    return table.groupby("tour", dropna=False).head(3).to_dict("records")


def ask(house: House, who: str, dataset: str, row: dict[str, Any]) -> why.Why:
    columns = house.sources.workspace.lake.datasets[dataset].key
    key = (
        "~".join(quote(str(row[c]), safe="").replace("~", "%7E") for c in columns)
        if len(columns) > 1
        else str(row[columns[0]])
    )
    return why.row(house.viewer(ADMIN), house.sources, person_id(house, who), dataset, key)


@pytest.mark.parametrize("who", BAKERY_PEOPLE)
@pytest.mark.parametrize("dataset", ["abnehmer", "lieferungen", "vertraege"])
def test_the_answer_is_what_the_person_sees(bakery: House, who: str, dataset: str):
    """The oracle is the policy of the bakery, written out by hand: all rows, those of one's tours, or none."""
    role, attributes = BAKERY_PEOPLE[who]
    for row in rows(bakery, dataset):
        own = row["tour"] in attributes.get("tour", ())
        sees = {"leitung": True, "tueftlerei": True, "hauswart": False}.get(role, own)
        found = ask(bakery, who, dataset, row)
        assert found.sees is sees, (row, found)
        assert sum(g.decides for g in found.groups) == int(sees)


def test_it_names_the_rule_that_decides_and_what_stays_hidden(bakery: House):
    north = next(r for r in rows(bakery, "abnehmer") if r["tour"] == "Nord/See")
    found = ask(bakery, SELLER, "abnehmer", north)
    assert found.sentence == "aussendienst sees this Abnehmer: Tour is Nord/See."
    assert "Inhaberin" in ask(bakery, "leitung", "abnehmer", north).hidden and found.hidden == ()
    south = next(r for r in rows(bakery, "abnehmer") if r["tour"] == "Süd & Tal")
    found = ask(bakery, SELLER, "abnehmer", south)
    assert found.sentence == "aussendienst does not see this Abnehmer: no group of row rules holds for it."
    assert [c.said for c in found.groups[0].conditions] == ["Tour is Nord/See."] and found.hidden == ()
    said = " ".join([found.sentence, *(c.said for g in found.groups for c in g.conditions)])
    assert "Süd & Tal" not in said, "no value of the row is told"
    assert "no row rule of the role names Abnehmer" in ask(bakery, ADMIN, "abnehmer", north).sentence


def test_each_question_is_an_act(own_bakery: House):
    row = rows(own_bakery, "abnehmer")[0]
    ask(own_bakery, SELLER, "abnehmer", row)
    with own_bakery.sources.store.read() as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (last.act, last.resource, last.detail) == (
        "policy.why", f"abnehmer/{row['kennung']}", {"subject": email_of(SELLER)}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "key", "sentence"),
    [
        ("abnehmer", "", "The key must be Kennung, got 'nothing'."),
        ("abnehmer", "1~2", "Abnehmer has no row with the key 1~2."),
        ("vertraege", "1", "The key must be Kennung~Saison, got '1'."),
        ("abnehmer", "999999999", "Abnehmer has no row with the key 999999999."),
        ("abnehmer", "' or 1=1 --", "Abnehmer has no row with the key ' or 1=1 --."),
        ("lieferungen", "kein Beleg", "Lieferungen has no row with the key kein Beleg."),
        ("keine", "1", "There is no dataset named keine."),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(bakery: House, dataset: str, key: str, sentence: str):
    with pytest.raises((InvalidQuery, NotFound)) as told:
        why.row(bakery.viewer(ADMIN), bakery.sources, person_id(bakery, SELLER), dataset, key)
    assert told.value.sentence == sentence


def test_only_who_may_read_the_policy_may_ask(bakery: House):
    with pytest.raises(Forbidden):
        why.row(bakery.viewer(SELLER), bakery.sources, person_id(bakery, SELLER), "abnehmer", "1")


def test_conditions_and_the_filter_that_is_used_come_from_one_place(bakery: House):
    """All conditions of a group together are the filter of the group, for every role and dataset."""
    workspace = bakery.sources.workspace
    for who, (role, attributes) in BAKERY_PEOPLE.items():
        for name, dataset in workspace.lake.datasets.items():
            groups = access.groups_of(workspace.access.roles[role], name)
            assert bool(groups) == (not bakery.viewer(who).scopes[name].reason.startswith("No row rule")), (who, name)
            for group in groups:
                assert len(access.conditions_of(group, dataset.columns, attributes)) == max(1, len(group.rules))


def test_the_page_asks_and_its_address_answers(bakery: House):
    client = bakery.sign_in(ADMIN)
    row = next(r for r in rows(bakery, "abnehmer") if r["tour"] == "Nord/See")
    number, key = person_id(bakery, SELLER), str(row["kennung"])
    answer = bakery.fire(client, "access-answer.children", [1], [number, "abnehmer", key])
    said = texts(answer.get_json()["response"]["access-answer"]["children"])
    assert "aussendienst sees this Abnehmer: Tour is Nord/See." in said
    assert "aussendienst sees this Abnehmer: Tour is Nord/See." in bakery.words(
        client, f"/admin/access?person={number}&dataset=abnehmer&key={quote(key, safe='')}"
    )
    assert "There is no dataset named x." in bakery.words(client, f"/admin/access?person={number}&dataset=x&key=1")
