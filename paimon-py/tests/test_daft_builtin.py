"""Daft's own connector for Paimon, which takes the objects of this package."""

from __future__ import annotations

import pyarrow as pa
import pytest

from conftest import Tables

daft = pytest.importorskip("daft")


def test_dafts_own_connector_reads_and_writes_our_tables(tables: Tables) -> None:
    table = tables.create({"p": pa.string(), "n": pa.int64()}, partition_keys=["p"])
    frame = daft.from_pydict({"p": ["a", "b"], "n": [1, 2]})
    assert frame.write_paimon(table).to_pydict()["rows"] == [1, 1]
    again = daft.read_paimon(table)
    assert again.sort("n").to_pydict() == {"p": ["a", "b"], "n": [1, 2]}
    assert again.where(daft.col("n") > 1).to_pydict() == {"p": ["b"], "n": [2]}
    assert again.where(daft.col("p") == "a").to_pydict() == {"p": ["a"], "n": [1]}
    assert frame.write_paimon(table, mode="overwrite").to_pydict()["operation"] == ["OVERWRITE"] * 2
    assert daft.read_paimon(table).count_rows() == 2


def test_dafts_own_catalog_takes_our_catalog(tables: Tables) -> None:
    tables.create({"n": pa.int64()})
    catalog = daft.Catalog.from_paimon(tables.catalog)
    assert [str(name) for name in catalog.list_tables()] == ["db.t"]
    assert catalog.get_table("db.t").read().to_pydict() == {"n": []}
