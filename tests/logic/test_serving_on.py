"""A spoiled file is held back, and the last version that was published serves on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data import publications
from services import refresh, snapshots
from tests.house import House


def deliveries(house: House) -> Path:
    return house.sources.settings.lake / "buchhaltung" / "lieferungen-2024.csv"


@pytest.mark.parametrize("spoil", ["gone", "empty", "cut", "types", "twice"])
def test_a_spoiled_file_is_held_back_and_the_last_version_serves_on(own_bakery, spoil):
    sources, file = own_bakery.sources, deliveries(own_bakery)
    viewer = own_bakery.viewer("leitung")
    before = snapshots.snapshot(viewer, sources, "lieferungen")
    good = file.read_text(encoding="latin-1")
    lines = good.splitlines(keepends=True)
    bad = {
        "empty": "", "cut": good[: len(good) // 2] + '"', "types": good.replace(";Weggli;", ";Weggli;viel", 1),
        "twice": good + lines[1],
    }  # fmt: skip
    file.unlink() if spoil == "gone" else file.write_text(bad[spoil], encoding="latin-1")
    done = refresh.refresh(sources)
    assert [name for name, _ in done.held_back] == ["lieferungen"]
    after = snapshots.snapshot(viewer, sources, "lieferungen")
    assert (after.table, after.rows) == (before.table, before.rows)
    assert after.stale and "held back" in after.stale_reason and "last good version serves on" in after.stale_reason
    with sources.store.read() as session:
        held = publications.open_quarantine(session, "lieferungen")
    assert len(held) == 1
    file.write_text(good, encoding="latin-1")
    assert refresh.refresh(sources).held_back == ()
    assert not snapshots.snapshot(viewer, sources, "lieferungen").stale


def test_a_refresh_without_a_change_does_nothing(own_bakery):
    before = snapshots.snapshot(None, own_bakery.sources, "vertraege")
    done = refresh.refresh(own_bakery.sources)
    assert (done.published, done.held_back) == ((), ())
    assert snapshots.snapshot(None, own_bakery.sources, "vertraege") == before


def test_what_is_attached_is_published_again_with_what_it_comes_from(own_bakery):
    """A customer changes the round: the deliveries carry the new round, or a row rule would show the old one's."""
    sources = own_bakery.sources
    file = sources.settings.lake / "stamm" / "abnehmer.parquet"
    known = pd.read_parquet(file)
    known.loc[known.index[0], "tour"] = "Süd & Tal"
    known.to_parquet(file, index=False)
    assert set(refresh.refresh(sources).published) == {"abnehmer", "lieferungen", "vertraege"}
