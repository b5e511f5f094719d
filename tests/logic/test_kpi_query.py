"""The overview's address: read, written back, refused by name."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.errors import InvalidQuery
from services.kpi_query import LONGEST, KpiQuery

D = date


def again(query: KpiQuery) -> KpiQuery:
    return KpiQuery.from_url(dict(parse_qsl(urlsplit(query.to_url()).query, keep_blank_values=True)))


def test_the_usual_view_has_a_short_address():
    assert KpiQuery().to_url() == "/kpis"
    assert KpiQuery.from_url({}) == KpiQuery()


def test_an_address_is_readable():
    query = KpiQuery(period="week", against="year", metric="baskets", by="brand",
                     chosen=(("department", ("GROCERY", "DELI")), ("brand", ("Private",))))  # fmt: skip
    assert query.to_url() == (
        "/kpis?period=week&against=year&metric=baskets&by=brand&only=department:GROCERY,DELI;brand:Private"
    )


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
chosen = st.dictionaries(
    st.sampled_from(["brand", "store", "kind"]),
    st.lists(texts, min_size=1, max_size=3, unique=True).map(tuple),
    max_size=3,
)


@example((("brand", ("100%2C", "a,b;c:d", "")),), "week")
@given(chosen.map(lambda d: tuple(d.items())), st.sampled_from(["week", "month", "quarter"]))
def test_every_filter_survives_its_address(members, period):
    query = KpiQuery(period=period, on=D(2017, 3, 4), chosen=members, as_of=D(2017, 12, 28))
    assert again(query) == query


def test_a_custom_period_survives_its_address():
    query = KpiQuery(period="custom", first=D(2017, 1, 5), last=D(2017, 2, 6))
    assert again(query) == query


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"period": "year"}, "period must be week, month, quarter or custom, got 'year'."),
        ({"against": "budget"}, "against must be previous, year or none, got 'budget'."),
        ({"period": "custom"}, "A custom period needs its first and last day."),
        ({"period": "custom", "from": "2017-01-01"}, "A custom period needs its first and last day."),
        ({"on": "yesterday"}, "on must be a day such as 2017-12-31, got 'yesterday'."),
        ({"on": "0001-01-01"}, "on must be a day such as 2017-12-31, got '0001-01-01'."),
        ({"as_of": "2017-02-30"}, "as_of must be a day such as 2017-12-31, got '2017-02-30'."),
        ({"only": "brand"}, "The filter in this address cannot be read."),
        ({"only": ":x"}, "The filter in this address cannot be read."),
        ({"only": "brand:" + ",".join(map(str, range(60)))}, "A filter must name at most 50 values."),
        ({"metric": "x" * (LONGEST + 1)}, f"metric must be given once, as a text of at most {LONGEST} characters."),
        ({"only": "brand:a\x00"}, f"only must be given once, as a text of at most {LONGEST} characters."),
        ({"metric": ["a", "b"]}, f"metric must be given once, as a text of at most {LONGEST} characters."),
    ],
)
def test_a_wrong_parameter_is_named(params, said):
    with pytest.raises(InvalidQuery) as refused:
        KpiQuery.from_url(params)
    assert refused.value.sentence == said
    assert refused.value.next_step


def test_what_the_page_does_not_know_is_left_alone():
    assert KpiQuery.from_url({"utm_source": "mail", "viewer": "admin"}) == KpiQuery()


def test_a_member_is_added_and_taken_out():
    one = KpiQuery().toggled("brand", "Private")
    two = one.toggled("brand", "National").toggled("store", "")
    assert two.chosen == (("brand", ("Private", "National")), ("store", ("",)))
    assert two.toggled("store", "").toggled("brand", "National") == one
    assert one.toggled("brand", "Private") == KpiQuery()


def test_a_day_after_the_data_is_refused_in_words():
    with pytest.raises(InvalidQuery, match="at the latest 2017-12-31"):
        KpiQuery(on=D(2018, 1, 5)).resolved(D(2017, 12, 31))
    with pytest.raises(InvalidQuery, match="must not be before the first"):
        KpiQuery(period="custom", first=D(2017, 3, 1), last=D(2017, 2, 1)).resolved(D(2017, 12, 31))
