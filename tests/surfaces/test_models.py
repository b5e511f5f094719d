"""Model cards: past lists, calibration and weaker groups are counted in one's own past rows; facts are everybody's."""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given

from services import model_cards
from services.errors import Forbidden
from services.model_answers import CalibrationPart, ImportancePart, ReplayPart, SegmentPart
from services.model_query import ModelQuery
from tests.surfaces import cases, drawn
from tests.surfaces.by_hand import Books
from tests.surfaces.drawn import MODEL, Person, Stand

LABELS = {"Tour": "tour", "Ort": "ort"}


@cases.drawn("models")
@given(drawn.people())
def test_a_card_is_measured_on_ones_own_past(stand: Stand, somebody):
    who, books = somebody.on(stand), stand.books
    if not who.may("models:read"):
        with pytest.raises(Forbidden):
            model_cards.card(who.viewer, who.sources, ModelQuery(MODEL))
    else:
        past = books.tables[f"replay_{MODEL}"].frame[books.seen(who, "vertraege", f"replay_{MODEL}")]
        found = model_cards.card(who.viewer, who.sources, ModelQuery(MODEL))
        _measured(who, books, found, past)
        _importance(books, who, found.importance)
    cases.RUN["models"] += 1


def _measured(who: Person, books: Books, found, past: pd.DataFrame) -> None:
    hidden = books.hidden(who, "vertraege")
    if past.empty or "gekuendigt" in hidden:
        assert not isinstance(found.replay, ReplayPart) and not isinstance(found.calibration, CalibrationPart)
        assert not isinstance(found.segments, SegmentPart)
        return
    runs = past.run.value_counts()
    if "saison" not in hidden and len(runs) > 1:
        choices = {c.run: c.rows for c in found.replay.choices}
        assert {r: n for r, n in choices.items() if r in set(runs.index)} == runs.to_dict()
        assert max(choices.values()) == len(past)
    if isinstance(found.calibration, CalibrationPart):
        assert sum(int(p.cells[3].split("\u00a0")[0].replace(",", "")) for p in found.calibration.points) == len(past)
        assert f"{len(past):,}\u00a0" in found.calibration.source
    if isinstance(found.segments, SegmentPart):
        for line in found.segments.lines:
            column = LABELS.get(line.dimension)
            if column:
                assert column not in hidden
                sizes = Counter(v if isinstance(v, str) else "" for v in past[column])
                member = "" if line.member == "not known" else line.member
                assert line.rows_text.split("\u00a0")[0].replace(",", "") == str(sizes[member])


def _importance(books: Books, who: Person, found) -> None:
    """The same for everybody but for what is hidden from them."""
    assert isinstance(found, ImportancePart)
    features = books.workspace.models.models[MODEL].features
    whole = math.fsum(books.importance.values())
    labels = {features[n].label: v / whole for n, v in books.importance.items() if n in books.named(who)}
    shown = {bar.label: bar.share for bar in found.bars if not bar.rest}
    assert set(shown) == set(labels)
    assert all(math.isclose(shown[n], labels[n], abs_tol=1e-6) for n in shown)
