"""Publication: what is wrong with a file is one sentence, nothing is bent, and the last good version serves on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from data import lake_delta
from data.definitions import Attach, Column, CsvFormat, Dataset, LakeFile, Noun
from data.publication import Published, Rejected, check_and_publish, publication_order, source_fingerprint
from data.questions import Table

if TYPE_CHECKING:
    pass


COLUMNS = {
    "id": Column(label="Number", type="integer"),
    "name": Column(label="Name", type="string", required=True),
    "money": Column(label="Money", type="number"),
    "day": Column(label="Day", type="date"),
    "at": Column(label="Time", type="timestamp"),
    "yes": Column(label="Answer", type="boolean"),
}
GOOD = {
    "id": [1, 2, 3],
    "name": ["Ä", "it's", "c"],
    "money": [1.5, None, -2.25],
    "day": [datetime(2024, 1, 1).date(), None, datetime(2024, 2, 29).date()],
    "at": [datetime(2024, 1, 1, 12, tzinfo=UTC), None, datetime(2024, 3, 1, tzinfo=UTC)],
    "yes": [True, None, False],
}
NOUN = Noun(one="row", many="rows")


def lake_of(**datasets: Dataset) -> LakeFile:
    return LakeFile(name="Test", datasets=datasets)


def things(**changes: object) -> Dataset:
    said = {"label": "Things", "noun": NOUN, "path": "things*.parquet", "key": ("id",), "grain": "a thing"}
    return Dataset(**{**said, "columns": COLUMNS, "time": "at", **changes})


class Place:
    """A raw folder and a published one."""

    def __init__(self, root: Path) -> None:
        self.raw, self.published = root / "raw it's", root / "published"
        self.raw.mkdir()

    def publish(self, dataset: Dataset, **attached: int) -> Published | Rejected:
        return check_and_publish(
            lake_of(things=dataset), "things", raw=self.raw, published=self.published, attached=attached
        )

    def rows(self, made: Published | Rejected) -> pd.DataFrame:
        assert isinstance(made, Published), made
        return pd.read_parquet(list(lake_delta.files(self.published, Table("things", made.version))))

    def parquet(self, name: str, columns: dict[str, object]) -> Path:
        target = self.raw / name
        pq.write_table(pa.table(columns), target)
        return target

    def csv(self, text: str, name: str = "things.csv", encoding: str = "utf-8") -> None:
        (self.raw / name).write_text(text, encoding=encoding)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def refused(made: Published | Rejected, *words: str) -> Rejected:
    assert isinstance(made, Rejected), made
    for word in words:
        assert word in made.reason, made.reason
    assert made.reason.endswith(".") and "\n" not in made.reason and "/raw" not in made.reason, made.reason
    assert made.next_step
    return made


def test_a_good_file_is_published_as_it_is(place):
    place.parquet("things.parquet", GOOD)
    made = place.publish(things())
    assert isinstance(made, Published)
    assert (made.rows, made.newest) == (3, datetime(2024, 3, 1, tzinfo=UTC))
    found = place.rows(made)
    assert found.columns.tolist() == list(COLUMNS)
    assert found.name.tolist() == ["Ä", "it's", "c"] and found.money.isna().tolist() == [False, True, False]


@pytest.mark.attack("M-10")
def test_a_column_that_the_workspace_does_not_name_is_not_published(place):
    place.parquet("things.parquet", {**GOOD, "iban": ["CH1", "CH2", "CH3"]})
    assert "iban" not in place.rows(place.publish(things())).columns


def test_the_declared_order_is_the_order_of_the_rows(place):
    place.parquet("things.parquet", {**GOOD, "id": [3, 1, 2]})
    assert place.rows(place.publish(things(order=("id",)))).id.tolist() == [1, 2, 3]


def test_several_files_are_one_dataset_whatever_the_order_of_their_columns(place):
    place.parquet("things-1.parquet", GOOD)
    place.parquet("things-2.parquet", {n: GOOD[n] for n in reversed(GOOD)} | {"id": [4, 5, 6]})
    assert sorted(place.rows(place.publish(things())).id) == [1, 2, 3, 4, 5, 6]


def test_no_file(place):
    assert refused(place.publish(things()), "Things has no file at things*.parquet").file == "things*.parquet"


@pytest.mark.attack("M-10")
@pytest.mark.parametrize("keep", [0, 4, 200, -8, -1])
def test_a_truncated_parquet_file(place, keep):
    file = place.parquet("things.parquet", GOOD)
    file.write_bytes(file.read_bytes()[:keep])
    refused(place.publish(things()), "things.parquet", "damaged or only half written")


@pytest.mark.attack("M-10")
def test_a_parquet_file_whose_pages_are_damaged_though_its_foot_is_well(place):
    count = 5_000
    file = place.parquet(
        "things.parquet",
        {n: [v[0]] * count for n, v in GOOD.items()}
        | {"id": range(count), "name": [f"name {i}" for i in range(count)]},
    )
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle - 400 : middle + 400] = b"\x07" * 800
    file.write_bytes(content)
    refused(place.publish(things()), "things.parquet", "damaged")


def test_one_damaged_file_among_good_ones_is_named(place):
    place.parquet("things-1.parquet", GOOD)
    (place.raw / "things-2.parquet").write_bytes(b"PAR1")
    assert refused(place.publish(things()), "things-2.parquet").file == "things-2.parquet"


def test_a_missing_column(place):
    place.parquet("things.parquet", {n: v for n, v in GOOD.items() if n != "money"})
    refused(place.publish(things()), "Things must have the column money")


def test_a_column_missing_in_one_of_several_files_is_not_read_as_blanks(place):
    place.parquet("things-1.parquet", GOOD)
    place.parquet("things-2.parquet", {n: v for n, v in GOOD.items() if n != "money"} | {"id": [4, 5, 6]})
    refused(place.publish(things()), "column money", "things-2.parquet")


@pytest.mark.attack("M-10")
def test_an_empty_file(place):
    place.parquet("things.parquet", {n: pa.array(v).slice(0, 0) for n, v in GOOD.items()})
    refused(place.publish(things()), "Things must have rows")


def test_a_key_that_stands_twice(place):
    place.parquet("things.parquet", {**GOOD, "id": [1, 2, 2]})
    refused(place.publish(things()), "key of Things must be unique", "2")


def test_a_blank_key_and_a_blank_required_column(place):
    place.parquet("things.parquet", {**GOOD, "id": [1, None, 3]})
    refused(place.publish(things()), "id of Things must not be blank")
    place.parquet("things.parquet", {**GOOD, "name": ["a", None, "c"]})
    refused(place.publish(things()), "name of Things must not be blank")


@pytest.mark.attack("M-10")
@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("id", [1.0, 2.5, 3.0], "Number (id) must be a whole number, and things.parquet has 2.5."),
        ("id", ["1", "two", "3"], "Number (id) must be a whole number, and things.parquet has 'two'."),
        ("money", ["1.5", "12,50", "2"], "Money (money) must be a number, and things.parquet has '12,50'."),
        ("day", ["2024-01-01", "31.12.2024", None], "Day (day) must be a date, and things.parquet has '31.12.2024'."),
        ("yes", ["true", "maybe", None], "Answer (yes) must be true or false, and things.parquet has 'maybe'."),
        ("at", ["2024-01-01 10:00", "noon", None], "Time (at) must be a time, and things.parquet has 'noon'."),
        ("money", [1.0, float("inf"), 2.0], "Money (money) must be a number, and a row has an infinite one."),
    ],
)
def test_a_value_of_another_type_is_named_and_never_bent(place, column, values, said):
    place.parquet("things.parquet", {**GOOD, column: values})
    assert refused(place.publish(things())).reason == said


def test_values_that_are_of_the_type_in_another_dress_are_taken(place):
    other = {"id": ["1", "2", "3"], "money": [1, 2, 3], "day": ["2024-01-01", None, "2024-02-29"], "yes": [1, None, 0]}
    place.parquet("things.parquet", {**GOOD, **other})
    found = place.rows(place.publish(things()))
    assert found.id.tolist() == [1, 2, 3] and found.money.tolist() == [1.0, 2.0, 3.0]
    assert str(found.day[2]) == "2024-02-29" and found.yes.tolist() == [True, None, False]


def test_not_a_number_is_a_blank(place):
    place.parquet("things.parquet", {**GOOD, "money": pa.array([1.0, float("nan"), None])})
    assert place.rows(place.publish(things())).money.isna().tolist() == [False, True, True]


# ── CSV ───────────────────────────────────────────────────────────────────────────────────────────

SWISS = CsvFormat(delimiter=";", encoding="latin-1", decimal=",", missing=("", "k.A."))
PLAIN = {n: COLUMNS[n] for n in ("id", "name", "money")}


def swiss(**changes: object) -> Dataset:
    return things(path="things*.csv", format="csv", columns=PLAIN, time=None, **{"csv": SWISS, **changes})


def test_a_csv_with_semicolons_decimal_commas_and_latin_letters(place):
    place.csv(
        'id;name;money\n1;Müller & Söhne;1.234,50\n2;"Bäcker; ""Zum Löwen""";k.A.\n3;c;-0,25\n', encoding="latin-1"
    )
    found = place.rows(place.publish(swiss()))
    assert found.name.tolist() == ["Müller & Söhne", 'Bäcker; "Zum Löwen"', "c"]
    assert found.money[0] == 1234.5 and pd.isna(found.money[1]) and found.money[2] == -0.25


@pytest.mark.parametrize(
    ("cell", "kept"), [("12,5", 12.5), ("1.234.567,8", 1234567.8), ("1.234", 1234.0), ("+7", 7.0), ("1,5e3", 1500.0)]
)
def test_numbers_as_they_are_written_with_a_decimal_comma(place, cell, kept):
    place.csv(f"id;name;money\n1;a;{cell}\n")
    assert place.rows(place.publish(swiss())).money.tolist() == [kept]


@pytest.mark.parametrize(
    "cell", ["12.5", "1,234.50", "1.23.4", "zwölf", "1 000", "0x10", "1.2345,0", ",", "CHF 5", "inf"]
)
def test_a_number_in_another_way_of_writing_is_refused_not_bent(place, cell):
    place.csv(f"id;name;money\n1;a;1,5\n2;b;{cell}\n", encoding="latin-1")
    reason = refused(place.publish(swiss())).reason
    assert reason == f"Money (money) must be a number, and things.csv has {cell!r}."


@pytest.mark.parametrize("cell", ["1.5", "1,5", "1e3", "1.5.0", "eins"])
def test_a_whole_number_must_be_whole(place, cell):
    dataset = things(path="things.csv", format="csv", columns=PLAIN, time=None, csv=CsvFormat(delimiter=";"))
    place.csv(f"id;name;money\n{cell};a;1\n")
    assert refused(place.publish(dataset)).reason == f"Number (id) must be a whole number, and things.csv has {cell!r}."


def test_thousands_of_a_whole_number(place):
    place.csv("id;name;money\n1.234;a;1\n")
    assert place.rows(place.publish(swiss())).id.tolist() == [1234]


def test_the_file_with_the_wrong_value_is_named_among_several(place):
    place.csv("id;name;money\n1;a;1,5\n", "things-1.csv")
    place.csv("id;name;money\n2;b;viel\n", "things-2.csv")
    assert refused(place.publish(swiss()), "things-2.csv", "viel").file == "things-2.csv"


def test_columns_of_another_file_in_another_order_are_read_by_name(place):
    place.csv("id;name;money\n1;7;1,5\n", "things-1.csv")
    place.csv("name;id;money\n8;2;2,5\n", "things-2.csv")
    found = place.rows(place.publish(swiss()))
    assert sorted(zip(found.id, found.name, strict=True)) == [(1, "7"), (2, "8")]


def test_a_csv_without_a_column_with_another_delimiter_or_with_a_ragged_line(place):
    place.csv("id;name\n1;a\n")
    refused(place.publish(swiss()), "column money")
    place.csv("id,name,money\n1,a,2\n")
    refused(place.publish(swiss()), "must have the column")
    place.csv("id;name;money\n1;a;2\n3;b;4;5;6\n")
    refused(place.publish(swiss()), "things.csv", "number of columns")


def test_letters_in_another_encoding_are_refused(place):
    dataset = swiss(csv=SWISS.model_copy(update={"encoding": "utf-8"}))
    place.csv("id;name;money\n1;Müller;2\n", encoding="latin-1")
    refused(place.publish(dataset), "things.csv", "line 2")


# ── attaching, versions, order ────────────────────────────────────────────────────────────────────


def shops(place: Place, keys: list[int]) -> tuple[LakeFile, int]:
    shop = Dataset(
        label="Shops", noun=NOUN, path="shops.parquet", key=("name", "shop"), grain="a shop",
        columns={"shop": Column(label="S", type="integer"), "name": Column(label="N"), "tour": Column(label="T")},
    )  # fmt: skip
    attach = Attach(dataset="shops", on={"id": "shop"}, columns={"tour": "tour"})
    dataset = things(columns={**COLUMNS, "tour": Column(label="Tour")}, attach=(attach,))
    lake = lake_of(things=dataset, shops=shop)
    place.parquet(
        "shops.parquet", {"shop": keys, "name": list("abc")[: len(keys)], "tour": ["N", "S", "W"][: len(keys)]}
    )
    made = check_and_publish(lake, "shops", raw=place.raw, published=place.published, attached={})
    assert isinstance(made, Published)
    return lake, made.version


def test_columns_of_another_dataset_are_attached_and_strangers_stay_blank(place):
    lake, version = shops(place, [1, 3])
    place.parquet("things.parquet", GOOD)
    made = check_and_publish(lake, "things", raw=place.raw, published=place.published, attached={"shops": version})
    assert place.rows(made).sort_values("id").tour.fillna("").tolist() == ["N", "", "S"]


def test_attaching_never_multiplies_rows(place):
    lake, version = shops(place, [1, 1])
    place.parquet("things.parquet", GOOD)
    made = check_and_publish(lake, "things", raw=place.raw, published=place.published, attached={"shops": version})
    refused(made, "shops must have one row for each")


def test_what_it_attaches_from_must_be_published_first(place):
    lake, _ = shops(place, [1, 3])
    place.parquet("things.parquet", GOOD)
    refused(
        check_and_publish(lake, "things", raw=place.raw, published=place.published, attached={}), "not published yet"
    )
    assert publication_order(lake) == ("shops", "things")


def test_a_circle_of_attachments_is_an_error():
    one = things(attach=(Attach(dataset="b", on={"id": "id"}, columns={"x": "name"}),))
    two = things(attach=(Attach(dataset="a", on={"id": "id"}, columns={"x": "name"}),))
    with pytest.raises(ValueError, match="circle"):
        publication_order(lake_of(a=one, b=two))


def test_a_foreign_delta_table_is_copied_with_its_partitions(place):
    rows = pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"], "money": [1.0, 2.0, 3.0], "part": ["x y", "50%", "ü/1"]})
    write_deltalake(str(place.raw / "things 1"), rows, partition_by=["part"])
    dataset = things(path="things 1", format="delta", columns=PLAIN, time=None)
    assert sorted(place.rows(place.publish(dataset)).id) == [1, 2, 3]


FOREIGN: dict[str, Any] = {"path": "things 1", "format": "delta", "columns": {"id": COLUMNS["id"]}, "time": None}
DELETED = {
    "storageType": "i", "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "sizeInBytes": 44,
    "cardinality": 6,
}  # fmt: skip
"""Rows 3, 4, 7, 11, 18 and 29 as a deletion vector (the example of the Delta protocol)."""


def by_hand(
    place: Place, *features: str, reader: int = 3, mapped: str = "", deleted: Mapping[str, Any] | None = None
) -> Path:
    """A table of thirty rows as another writer makes it, with the log that such a writer leaves."""
    root = place.raw / "things 1"
    (root / "_delta_log").mkdir(parents=True)
    pq.write_table(pa.table({"id": range(30)}), root / "part.parquet")
    needs = {"readerFeatures": features, "writerFeatures": features} if reader == 3 else {}
    about = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "id"} if mapped else {}
    fields = [{"name": "number" if mapped == "name" else "id", "type": "long", "nullable": True, "metadata": about}]
    meta = {
        "id": "t", "format": {"provider": "parquet", "options": {}}, "partitionColumns": [], "createdTime": 0,
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "configuration": {"delta.columnMapping.mode": mapped} if mapped else {},
    }  # fmt: skip
    add = {
        "path": "part.parquet", "partitionValues": {}, "size": (root / "part.parquet").stat().st_size,
        "modificationTime": 0, "dataChange": True, "stats": json.dumps({"numRecords": 30}),
        **({"deletionVector": deleted} if deleted else {}),
    }  # fmt: skip
    versions = {"minReaderVersion": reader, "minWriterVersion": 7 if reader == 3 else 5}
    actions = ({"protocol": versions | needs}, {"metaData": meta}, {"add": add})
    (root / "_delta_log" / f"{0:020}.json").write_text("\n".join(json.dumps(a) for a in actions))
    return root


@pytest.mark.parametrize("broken", [{}, {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^"}])
def test_a_foreign_delta_table_with_deletion_vectors_is_held_back_not_published_with_its_deleted_rows(place, broken):
    """Also where the file that says which rows are deleted was not copied with the others."""
    by_hand(place, "deletionVectors", deleted=DELETED | broken)
    held = refused(place.publish(things(**FOREIGN)))
    assert held.file == "things 1"
    assert held.reason == (
        "Things must be a Delta table that can be read without deletion vectors, and things 1 cannot. "
        "Copy its rows to a new table (in Spark: CREATE TABLE … AS SELECT)."
    )


@pytest.mark.parametrize(("reader", "features"), [(2, ()), (3, ("columnMapping",))])
@pytest.mark.parametrize("mode", ["name", "id"])
def test_a_foreign_delta_table_whose_columns_go_by_other_names_in_its_files_is_held_back(place, reader, features, mode):
    by_hand(place, *features, reader=reader, mapped=mode)
    refused(place.publish(things(**FOREIGN)), "can be read without column mapping", "Copy its rows")


@pytest.mark.parametrize(
    ("reader", "feature", "said"),
    [
        (3, "typeWidening", "typeWidening"),
        (3, "variantType", "variantType"),
        (3, "ofTomorrow", "features that only newer readers know"),
        (4, "", "features that only newer readers know"),
    ],
)
def test_a_foreign_delta_table_with_a_feature_that_may_change_its_rows_is_held_back(place, reader, feature, said):
    by_hand(place, feature, reader=reader)
    refused(place.publish(things(**FOREIGN)), f"without {said}, and things 1")


@pytest.mark.parametrize(
    "features", [("timestampNtz",), ("v2Checkpoint",), ("vacuumProtocolCheck",), ("deletionVectors", "columnMapping")]
)
def test_a_feature_that_is_on_and_changes_no_row_is_no_hindrance(place, features):
    by_hand(place, *features)
    assert sorted(place.rows(place.publish(things(**FOREIGN))).id) == list(range(30))


def test_times_without_a_zone_in_a_foreign_delta_table_are_read(place):
    times = [datetime(2024, 7, 1, 12), datetime(2024, 7, 2), None]
    write_deltalake(str(place.raw / "things 1"), pa.table({"id": [1, 2, 3], "at": times}))
    columns = {n: COLUMNS[n] for n in ("id", "at")}
    made = place.publish(things(**{**FOREIGN, "columns": columns, "time": "at"}))
    assert isinstance(made, Published) and made.newest == datetime(2024, 7, 2, tzinfo=UTC)


def test_a_delta_folder_whose_log_is_not_there_yet_is_held_back(place):
    root = by_hand(place)
    shutil.rmtree(root / "_delta_log")
    held = refused(place.publish(things(**FOREIGN)))
    assert held.reason == "things 1 is damaged or only half written and cannot be read."


@pytest.mark.parametrize("spoil", ["no entry", "empty", "cut", "no file", "pages"])
def test_a_damaged_delta_table_is_named_not_its_log(place, spoil):
    root = by_hand(place)
    log, part = root / "_delta_log" / f"{0:020}.json", root / "part.parquet"
    if spoil in ("no entry", "no file"):
        (log if spoil == "no entry" else part).unlink()
    elif spoil == "pages":
        part.write_bytes(part.read_bytes()[:-8])
    else:
        log.write_text("" if spoil == "empty" else log.read_text()[:-20])
    held = refused(place.publish(things(**FOREIGN)))
    assert (held.file, held.reason) == ("things 1", "things 1 is damaged or only half written and cannot be read.")


def test_a_delta_table_without_rows_or_with_a_wrong_value_is_named(place):
    folder = str(place.raw / "things 1")
    write_deltalake(folder, pa.table({"id": pa.array([1], pa.float64())}))
    DeltaTable(folder).delete()
    assert refused(place.publish(things(**FOREIGN))).reason == "Things must have rows, and things 1 has none."
    write_deltalake(folder, pa.table({"id": [1.5]}), mode="append")
    refused(place.publish(things(**FOREIGN)), "Number (id) must be a whole number, and things 1 has 1.5.")


def test_a_foreign_delta_table_that_was_deleted_and_begins_again_is_read_as_it_is_now(place):
    for rows in ([1, 2], [3, 4, 5]):
        shutil.rmtree(place.raw / "things 1", ignore_errors=True)
        write_deltalake(str(place.raw / "things 1"), pa.table({"id": rows}))
        assert sorted(place.rows(place.publish(things(**FOREIGN))).id) == rows


def test_the_fingerprint_follows_files_definition_and_what_is_attached(place):
    assert source_fingerprint(things(), place.raw, {}) == ""
    place.parquet("things.parquet", GOOD)
    first = source_fingerprint(things(), place.raw, {})
    assert first == source_fingerprint(things(), place.raw, {})
    assert first != source_fingerprint(things(order=("id",)), place.raw, {})
    assert first != source_fingerprint(things(), place.raw, {"shops": 1})
    place.parquet("things-2.parquet", {**GOOD, "id": [4, 5, 6]})
    assert first != source_fingerprint(things(), place.raw, {})
