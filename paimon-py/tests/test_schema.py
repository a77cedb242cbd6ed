from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import CoreOptions, Identifier, Schema
from pypaimon.common.options.config_option import ConfigOption
from pypaimon.exceptions import InvalidInputError
from pypaimon.schema.data_types import (
    ArrayType,
    AtomicType,
    DataField,
    DataType,
    MapType,
    MultisetType,
    PyarrowFieldParser,
    RowType,
    VectorType,
    parse_data_type,
)

STRING, INT = AtomicType("STRING"), AtomicType("INT", False)


@pytest.mark.parametrize(
    ("data_type", "text"),
    [
        (AtomicType("DECIMAL(10, 2)"), "DECIMAL(10, 2)"),
        (INT, "INT NOT NULL"),
        (AtomicType("TIMESTAMP(6) WITH LOCAL TIME ZONE"), "TIMESTAMP(6) WITH LOCAL TIME ZONE"),
        (ArrayType(True, INT), "ARRAY<INT NOT NULL>"),
        (ArrayType(False, STRING), "ARRAY<STRING> NOT NULL"),
        (MapType(True, INT, STRING), "MAP<INT NOT NULL, STRING>"),
        (MultisetType(True, STRING), "MULTISET<STRING>"),
        (VectorType(True, AtomicType("FLOAT"), 3), "VECTOR<FLOAT, 3>"),
        (RowType(True, [DataField(1, "a", INT), DataField(2, "b", STRING)]), "ROW<a: INT NOT NULL, b: STRING>"),
    ],
)
def test_types_have_their_text_and_come_back_from_their_json(data_type: DataType, text: str) -> None:
    assert str(data_type) == text
    again = parse_data_type(data_type.to_dict())
    assert again == data_type and hash(again) == hash(data_type)
    assert pickle.loads(pickle.dumps(data_type)) == data_type


def test_types_differ_by_nullability_and_parts() -> None:
    assert AtomicType("INT") != INT
    assert ArrayType(True, INT) != ArrayType(True, STRING)
    assert ArrayType(True, INT) != MultisetType(True, INT)
    assert RowType(True, [DataField(1, "a", INT)]) != RowType(True, [DataField(1, "b", INT)])


@pytest.mark.parametrize(
    ("arrow", "paimon", "back"),
    [
        (pa.int8(), "TINYINT", None),
        (pa.int64(), "BIGINT", None),
        (pa.float32(), "FLOAT", None),
        (pa.bool_(), "BOOLEAN", None),
        (pa.large_string(), "STRING", pa.string()),
        (pa.binary(), "BYTES", None),
        (pa.decimal128(12, 3), "DECIMAL(12, 3)", None),
        (pa.date32(), "DATE", None),
        (pa.timestamp("ms"), "TIMESTAMP(3)", None),
        (pa.timestamp("us", "Europe/Berlin"), "TIMESTAMP(6) WITH LOCAL TIME ZONE", pa.timestamp("us", "UTC")),
        (pa.list_(pa.int32()), "ARRAY<INT>", None),
        (pa.map_(pa.string(), pa.int32()), "MAP<STRING NOT NULL, INT>", None),
    ],
)
def test_arrow_types_map_to_columns_and_back(arrow: pa.DataType, paimon: str, back: pa.DataType | None) -> None:
    made = PyarrowFieldParser.to_paimon_type(arrow)
    assert str(made) == paimon
    assert PyarrowFieldParser.from_paimon_type(made) == (back or arrow)


@pytest.mark.parametrize("arrow", [pa.uint8(), pa.null(), pa.duration("s"), pa.float16()])
def test_arrow_types_without_a_column_type_are_refused(arrow: pa.DataType) -> None:
    with pytest.raises((ValueError, NotImplementedError)):
        PyarrowFieldParser.to_paimon_type(arrow)


def test_a_schema_keeps_descriptions_and_nullability(tables: Tables) -> None:
    arrow = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False, metadata={"description": "the key"}),
            pa.field("s", pa.struct([pa.field("a", pa.int32()), pa.field("b", pa.list_(pa.string()))])),
        ]
    )
    table = tables.create(arrow, comment="about", options={"bucket": -1, "write-only": True})
    assert table.field_dict["id"].description == "the key"
    assert not table.field_dict["id"].type.nullable
    assert table.comment() == "about"
    assert table.options.to_map()["write-only"] == "true"
    ids = [table.field_dict["id"].id, table.field_dict["s"].id]
    nested = table.field_dict["s"].type
    assert isinstance(nested, RowType)
    assert len({*ids, *(field.id for field in nested.fields)}) == 4
    append(table, {"id": [1], "s": [{"a": 1, "b": ["x", None]}]})
    assert read(table).to_pylist() == [{"id": 1, "s": {"a": 1, "b": ["x", None]}}]


def test_a_schema_of_fields_equals_one_of_arrow() -> None:
    fields = [DataField(0, "id", AtomicType("INT")), DataField(1, "name", AtomicType("STRING"))]
    arrow = pa.schema([("id", pa.int32()), ("name", pa.string())])
    assert Schema(fields) == Schema.from_pyarrow_schema(arrow)


def test_identifiers_know_their_parts() -> None:
    branch = Identifier.from_string("db.t$branch_b")
    assert (branch.get_database_name(), branch.get_table_name(), branch.get_branch_name()) == ("db", "t", "b")
    assert branch == Identifier("db", "t", branch="b") and hash(branch) == hash(Identifier("db", "t", "b"))
    assert branch.get_full_name() == "db.t$branch_b"
    assert Identifier("db", "t", branch="main").get_branch_name_or_default() == "main"
    assert Identifier.from_string("`d.b`.`t`").database == "d.b"
    assert Identifier.create("db", "t$snapshots").is_system_table()
    assert pickle.loads(pickle.dumps(branch)) == branch
    for wrong in ("t", "`db.t", "a.`b`.c"):
        with pytest.raises(ValueError, match="splits|backtick|format"):
            Identifier.from_string(wrong)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "7", 7),
        (bool, "TRUE", True),
        (bytes, "128 mb", 128 << 20),
        (bytes, "1b", 1),
        (bytes, "64kb", 64 << 10),
        (bytes, "10", 10),
        (int, "seven", None),
        (bool, "yes", None),
        (bytes, "big", None),
    ],
)
def test_options_are_read_by_type(kind: type, text: str, value: object) -> None:
    option: ConfigOption[object] = ConfigOption("some.key", kind, None)
    if value is None:
        with pytest.raises(InvalidInputError, match=r"some\.key"):
            option.read({"some.key": text})
    else:
        assert option.read({"some.key": text}) == value


def test_core_options_name_keys_and_read_values() -> None:
    options = CoreOptions.from_dict({"bucket": "4", "file.format": "avro", "commit.timeout": "5 min"})
    assert CoreOptions.BUCKET.key() == "bucket"
    assert options.bucket() == 4
    assert options.get("file.format") == options.file_format() == "avro"
    assert options.get(CoreOptions.COMMIT_TIMEOUT).total_seconds() == 300
    assert options.get("no.such", "default") == "default"
    assert options.get(CoreOptions.TARGET_FILE_ROW_NUM) == 2**63 - 1
