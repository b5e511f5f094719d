"""Numbers, dates and reasons as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from data.definitions import Feature, LakeFile, Noun, Phrases
from services import wording

US = LakeFile(name="x", datasets={}, locale="en_US", currency="USD")
CH = LakeFile(name="x", datasets={}, locale="de_CH", currency="CHF")
DE = LakeFile(name="x", datasets={}, locale="de_DE", currency="EUR")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "lake", "text", "exact"),
    [
        (4_596_039.58, "currency", None, US, "$4.60M", "$4,596,039.58"),
        (421_720.45, "currency", None, US, "$422k", "$421,720.45"),
        (9_502.4, "currency", None, US, "$9,502", "$9,502.40"),
        (32.2, "currency", 2, US, "$32.20", "$32.20"),
        (32.2, "currency", None, US, "$32.20", "$32.20"),
        (320.4, "currency", None, US, "$320", "$320.40"),
        (-73.3, "currency", None, US, "−$73.30", "−$73.30"),
        (373_000, "currency", None, CH, "CHF 373k", "CHF 373’000.00"),
        (12.5, "currency", None, DE, "12,50 €", "12,50 €"),
        (0.7183, "percent", None, US, "72 %", "71.83 %"),
        (0.0523, "percent", None, US, "5.2 %", "5.23 %"),
        (0.14372, "percent", 1, US, "14.4 %", "14.372 %"),
        (0.0, "percent", None, US, "0 %", "0 %"),
        (13_097, "baskets", None, US, "13.1k baskets", "13,097 baskets"),
        (2_062, None, None, US, "2,062", "2,062"),
        (999_949, None, None, US, "1,000k", "999,949"),
        (999_950, None, None, US, "1.00M", "999,950"),
        (9_999, None, None, US, "9,999", "9,999"),
        (10_000, None, None, US, "10.0k", "10,000"),
        (1_250_000_000, None, None, US, "1.25B", "1,250,000,000"),
        (12.345, None, None, US, "12.3", "12.345"),
        (-0.0001, None, 1, US, "0", "−0.0001"),
        (None, "currency", None, US, "–", "not known"),
        (float("nan"), None, None, US, "–", "not known"),
        (float("inf"), "percent", None, US, "–", "not known"),
        (True, None, None, US, "yes", "yes"),
        ("A-17", "baskets", None, US, "A-17", "A-17"),
    ],
)
def test_a_value_with_its_exact_one(value, unit, decimals, lake, text, exact):
    found = wording.shown(value, unit, decimals, lake)
    assert (plain(found.text), plain(found.exact)) == (text, exact)


def test_an_unknown_value_is_not_zero():
    assert wording.shown(None, "currency", None, US).value is None
    assert wording.shown(0.0, "currency", None, US).text == "$0.00"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.21, "+21 pp"),
        (-0.09, "−9.0 pp"),
        (0.004, "+0.4 pp"),
        (0.0, "0 pp"),
        (0.0994, "+9.9 pp"),
        (0.0996, "+10 pp"),
        (0.0003, "0 pp"),
    ],
)
def test_a_difference_of_shares_is_in_points(share, said):
    assert plain(wording.points(share, US)) == said


def test_points_have_the_decimal_mark_of_the_locale():
    assert plain(wording.points(-0.0834, DE)) == "−8,3 pp"


def test_several_things_stand_in_one_sentence():
    assert wording.listed(["A", "B", "C"]) == "A, B and C"
    assert wording.listed(("A", "B"), "or") == "A or B"
    assert wording.listed(["A"]) == "A"
    assert wording.listed([]) == ""


def test_small_numbers_are_words():
    assert [wording.number_word(n) for n in (0, 3, 12, 13, 1204)] == ["no", "three", "twelve", "13", "1,204"]


def test_counts_days_and_moments():
    assert plain(wording.count(1, Noun(one="household", many="households"))) == "1 household"
    assert plain(wording.count(1_204, Noun(one="household", many="households"))) == "1,204 households"
    assert plain(wording.day(date(2017, 12, 31))) == "31 Dec 2017"
    late = datetime(2018, 1, 1, 4, 30, tzinfo=UTC)
    assert plain(wording.moment(late, "America/New_York")) == "31 Dec 2017, 23:30"
    assert plain(wording.moment(late)) == "1 Jan 2018, 04:30"
    assert plain(wording.moment(datetime(2018, 1, 1, 4, 30), "Europe/Zurich")) == "1 Jan 2018, 04:30"


USED = Feature(
    label="Coupons used before",
    unit="coupons",
    integer=True,
    phrases=Phrases(default="Used {value} before", zero="Has used no coupon", missing="Coupons are not known"),
)


@pytest.mark.parametrize(
    ("feature", "value", "said"),
    [
        (USED, 5, "Used 5 coupons before"),
        (USED, 0, "Has used no coupon"),
        (USED, None, "Coupons are not known"),
        (Feature(label="Discount", unit="percent"), 0.123, "Discount: 12 %"),
        (Feature(label="Discount", unit="percent"), None, "Discount is not known"),
        (Feature(label="Type", words={"A": "type A"}), "A", "Type: type A"),
        (Feature(label="Open", words={"true": "open now"}), True, "Open: open now"),
    ],
)
def test_a_feature_as_a_reason(feature, value, said):
    assert plain(wording.feature_phrase(feature, value, US)) == said


def test_numbers_are_written_as_the_locale_s_own_library_writes_them() -> None:
    """Against Babel, which is ten times slower: rounding, groups, marks and zeros in a dozen locales."""
    import random

    from babel.numbers import format_decimal

    from services.wording import _plain

    chosen = random.Random(0)
    values = [0, -0.0, 1, -1, 2.675, 0.5, 2.5, -0.004, 999.995, 1e-7, 123456789, 1e15, -12345.678]
    values += [chosen.gauss(0, 10 ** chosen.randint(-3, 7)) for _ in range(60)]
    for locale in ("en_US", "de_CH", "de_DE", "fr_FR", "sv_SE", "pl_PL", "es_ES", "pt_BR", "ru_RU", "en_IN"):
        lake = LakeFile(name="x", locale=locale, datasets={})
        for value in values:
            for decimals, fixed in ((0, False), (1, True), (2, False), (2, True), (6, False)):
                places = ("0" if fixed else "#") * decimals
                wanted = format_decimal(value, format=f"#,##0.{places}" if decimals else "#,##0", locale=locale)
                wanted = wanted.replace("-", "\u2212")
                wanted = wanted if any(c in "123456789" for c in wanted) else wanted.lstrip("\u2212")
                assert _plain(value, decimals, lake, fixed=fixed) == wanted, (locale, value, decimals, fixed)
