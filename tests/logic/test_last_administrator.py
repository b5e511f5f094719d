"""Two administrators who remove each other at the same moment: one of them stays, whatever the order."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from data import people
from services import accounts, erasure
from services import people as people_service
from services.access import Viewer, viewer_of_person
from services.errors import InvalidField, InvalidQuery, Refusal
from services.sources import Sources
from tests.house import PASSWORD, House

ROLE = "hauswart"
Act = Callable[[Viewer, Sources, int], object]


def disable(viewer: Viewer, sources: Sources, other: int) -> None:
    people_service.set_active(viewer, sources, other, False)


def demote(viewer: Viewer, sources: Sources, other: int) -> None:
    people_service.change_person(viewer, sources, other, name="X", role="leitung", attributes={})


def administrators(house: House) -> list[Viewer]:
    with house.sources.store.read() as session:
        found = [p for p in people.everyone(session) if p.active and p.role == ROLE]
    return [viewer_of_person(house.sources.workspace, p) for p in found]


@pytest.fixture
def house(own_bakery: House) -> House:
    accounts.create(own_bakery.sources, email="zwei@people.example", name="zwei", role=ROLE, attributes={},
                    password=PASSWORD)  # fmt: skip
    assert len(administrators(own_bakery)) == 2
    return own_bakery


@pytest.mark.parametrize("acts", [(disable, disable), (demote, demote), (disable, demote)],
                         ids=["both disable", "both demote", "one of each"])  # fmt: skip
@pytest.mark.parametrize("turn", range(4))
def test_of_two_who_remove_each_other_one_stays(house: House, acts: tuple[Act, Act], turn: int):
    one, two = administrators(house)
    ready, refused = threading.Barrier(2), []

    def run(act: Act, viewer: Viewer, other: int) -> None:
        ready.wait()
        try:
            act(viewer, house.sources, other)
        except Refusal as refusal:
            refused.append(refusal.sentence)

    threads = [
        threading.Thread(target=run, args=(acts[0], one, two.person_id)),
        threading.Thread(target=run, args=(acts[1], two, one.person_id)),
    ]
    for thread in threads[:: -1 if turn % 2 else 1]:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["The last administrator cannot be removed."]
    assert len(administrators(house)) == 1


def test_the_last_one_cannot_be_removed_in_any_way(house: House):
    one, two = administrators(house)
    disable(one, house.sources, two.person_id)
    for act in (disable, demote):
        with pytest.raises((InvalidQuery, InvalidField), match="last administrator"):
            act(two, house.sources, one.person_id)
    with pytest.raises(InvalidQuery, match="Only somebody who is disabled"):
        erasure.erase(two, house.sources, one.person_id, one.email)


def test_nobody_gives_themselves_another_role_on_two_threads_either(house: House):
    (one, _), ready, refused = administrators(house), threading.Barrier(6), []

    def run() -> None:
        ready.wait()
        try:
            demote(one, house.sources, one.person_id)
        except Refusal as refusal:
            refused.append(refusal.sentence)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["Nobody can change their own role or attributes."] * 6
