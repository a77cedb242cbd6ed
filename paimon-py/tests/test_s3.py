"""Tables on S3: a store of moto's on a free port of this machine."""

from __future__ import annotations

import io
import pickle
import random
import re
import socket
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
daft = pytest.importorskip("daft")

from daft.io import IOConfig, S3Config  # noqa: E402

import blob_tables  # noqa: E402
from conftest import append, moto, passing_on, request  # noqa: E402
from pypaimon import CatalogFactory, Schema  # noqa: E402
from pypaimon.daft import explain_paimon_scan, read_blob, read_paimon, write_paimon  # noqa: E402
from pypaimon.daft.io_config import infer_io_config, options_with  # noqa: E402
from pypaimon.exceptions import InvalidInputError, PaimonPermissionError, PaimonStorageError  # noqa: E402

ROWS = {"id": [1, 2, 3], "name": ["alice", "bob", "charlie"], "dt": ["2024-01-01", "2024-01-01", "2024-01-02"]}
#: Files of more than 512 KiB, which Daft reads by itself.
LONG_ROWS = {**ROWS, "name": [random.Random(seed).randbytes(600_000).hex() for seed in range(3)]}
COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string()), ("dt", pa.string())])


@pytest.fixture(scope="module")
def endpoint(s3_endpoint: str) -> str:
    request(s3_endpoint, "PUT", "/bucket")
    return s3_endpoint


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own keys."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def warehouse(request: pytest.FixtureRequest) -> str:
    name = re.sub(r"\W+", "-", request.node.name)
    return f"s3://bucket/{name}-{time.monotonic_ns()}"


@pytest.fixture
def options(warehouse: str, endpoint: str) -> dict[str, str]:
    keys = {"fs.s3.accessKeyId": "key", "fs.s3.accessKeySecret": "secret"}
    return {"warehouse": warehouse, "fs.s3.endpoint": endpoint, **keys}


def create(options: dict[str, str], partition_keys: list[str] | None = None) -> Any:
    catalog = CatalogFactory.create(options)
    catalog.create_database("db", True)
    catalog.create_table("db.t", Schema.from_pyarrow_schema(COLUMNS, partition_keys=partition_keys), False)
    return catalog


def rows(frame: Any) -> list[dict[str, Any]]:
    return sorted(frame.to_pylist(), key=lambda row: row["id"])


def daft_reads_it(options: dict[str, str], **more: Any) -> bool:
    return re.search(r"Daft's Parquet reader: +[1-9]", str(explain_paimon_scan("db.t", options, **more))) is not None


@pytest.mark.parametrize("reader", ["auto", "paimon"])
def test_the_documented_sample_runs_with_keys_in_the_options(options: dict[str, str], reader: str) -> None:
    create(options, ["dt"])
    write_paimon(daft.from_pydict(LONG_ROWS), "db.t", catalog_options=options)
    assert daft_reads_it(options, reader=reader) == (reader == "auto")
    df = read_paimon("db.t", catalog_options=options, reader=reader)
    assert rows(df) == daft.from_pydict(LONG_ROWS).to_pylist()
    assert rows(df.where(daft.col("dt") == "2024-01-02").select("id")) == [{"id": 3}]

    write_paimon(daft.from_pydict({"id": [9], "name": ["i"], "dt": ["2024-01-02"]}), "db.t", options, mode="overwrite")
    assert [row["id"] for row in rows(read_paimon("db.t", options, reader=reader))] == [1, 2, 9]
    assert rows(read_paimon("db.t", options, snapshot_id=1, reader=reader)) == daft.from_pydict(LONG_ROWS).to_pylist()
    assert rows(df) == daft.from_pydict(LONG_ROWS).to_pylist(), "the frame keeps its snapshot"


@pytest.mark.parametrize("reader", ["auto", "paimon"])
def test_an_explicit_io_config_is_enough(options: dict[str, str], endpoint: str, reader: str) -> None:
    create(options)
    write_paimon(daft.from_pydict(LONG_ROWS), "db.t", catalog_options=options)
    io_config = IOConfig(s3=S3Config(endpoint_url=endpoint, key_id="key", access_key="secret", region_name="us-east-1"))
    df = read_paimon("db.t", {"warehouse": options["warehouse"]}, io_config=io_config, reader=reader)
    assert rows(df) == daft.from_pydict(LONG_ROWS).to_pylist()


def test_an_explicit_io_config_wins_over_the_options_for_daft_s_reader(options: dict[str, str]) -> None:
    create(options)
    write_paimon(daft.from_pydict(LONG_ROWS), "db.t", catalog_options=options)
    with passing_on(options["fs.s3.endpoint"]) as (elsewhere, asked):
        io_config = IOConfig(s3=S3Config(endpoint_url=elsewhere, key_id="k", access_key="s", region_name="us-east-1"))
        assert rows(read_paimon("db.t", options, io_config=io_config)) == daft.from_pydict(LONG_ROWS).to_pylist()
        assert asked and all("/bucket-0/" in path for path, _ in asked), "data files, by Daft's reader alone"
        del asked[:]
        assert rows(read_paimon("db.t", options, io_config=io_config, reader="paimon"))
        assert not asked, "Paimon's own access takes the options"


def test_daft_reads_the_files_of_a_plain_table_by_itself(options: dict[str, str]) -> None:
    create(options)
    write_paimon(daft.from_pydict(LONG_ROWS), "db.t", catalog_options=options)
    assert daft_reads_it(options)
    location = CatalogFactory.create(options).get_table("db.t").native.location
    assert location == f"{options['warehouse']}/db.db/t"


@pytest.mark.parametrize(
    "spelling",
    [
        ("s3.endpoint", "s3.access-key", "s3.secret-key"),
        ("s3a.endpoint", "s3a.access.key", "s3a.secret.key"),
        ("fs.s3a.endpoint", "fs.s3a.access.key", "fs.s3a.secret.key"),
    ],
)
@pytest.mark.parametrize("scheme", ["s3", "s3a", "s3n"])
def test_the_spellings_of_java_work_too(
    warehouse: str, endpoint: str, spelling: tuple[str, str, str], scheme: str
) -> None:
    options = dict(zip(spelling, (endpoint, "key", "secret"), strict=True))
    options |= {"warehouse": warehouse.replace("s3:", f"{scheme}:"), "s3.path.style.access": "true"}
    create(options)
    write_paimon(daft.from_pydict(LONG_ROWS), "db.t", catalog_options=options)
    assert rows(read_paimon("db.t", options)) == daft.from_pydict(LONG_ROWS).to_pylist()


def test_keys_come_from_the_environment(
    warehouse: str, endpoint: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create(options)
    write_paimon(daft.from_pydict(LONG_ROWS), "db.t", catalog_options=options)
    bare = {"warehouse": warehouse, "s3.endpoint": endpoint}
    with pytest.raises(InvalidInputError, match="no credentials"):
        CatalogFactory.create(bare)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert rows(read_paimon("db.t", bare)) == daft.from_pydict(LONG_ROWS).to_pylist()
    assert infer_io_config(bare).s3.key_id is None, "Daft finds them where they are"


def test_keys_come_from_a_profile(
    warehouse: str, endpoint: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    create(options)
    write_paimon(daft.from_pydict(LONG_ROWS), "db.t", catalog_options=options)
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = key\naws_secret_access_key = secret\nregion = us-east-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    bare = {"warehouse": warehouse, "s3.endpoint": endpoint, "s3.profile": "work"}
    assert rows(read_paimon("db.t", bare, reader="paimon")) == daft.from_pydict(LONG_ROWS).to_pylist()
    assert rows(read_paimon("db.t", bare)) == daft.from_pydict(LONG_ROWS).to_pylist()
    monkeypatch.setenv("AWS_PROFILE", "work")
    del bare["s3.profile"]
    assert rows(read_paimon("db.t", bare)) == daft.from_pydict(LONG_ROWS).to_pylist()
    with pytest.raises(InvalidInputError, match="profile 'other'"):
        CatalogFactory.create({**bare, "s3.profile": "other"})


def test_databases_and_tables_come_and_go(options: dict[str, str]) -> None:
    catalog = create(options)
    write_paimon(daft.from_pydict(ROWS), "db.t", catalog_options=options)
    catalog.rename_table("db.t", "db.u")
    assert catalog.list_tables("db") == ["u"]
    assert rows(read_paimon("db.u", options)) == daft.from_pydict(ROWS).to_pylist()
    catalog.create_table("db.t", Schema.from_pyarrow_schema(COLUMNS), False)
    catalog.drop_table("db.u", False)
    assert catalog.list_tables("db") == ["t"]
    catalog.drop_database("db", False, True)
    assert catalog.list_databases() == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"fs.s3.acessKeyId": "x"}, "did you mean 'accessKeyId'"),
        ({"s3.access-key": "another"}, "spellings of one option"),
        ({"s3.anonymous": "true"}, "exclude each other"),
        ({"s3.path.style.access": "maybe"}, "true or false"),
        ({"s3.connection.timeout": "soon"}, "duration"),
    ],
)
def test_wrong_options_are_named_without_their_secrets(
    options: dict[str, str], more: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as raised:
        CatalogFactory.create({**options, **more, "s3.session.token": "hush-token"})
    assert not re.search("another|hush", str(raised.value))


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("where", ["closed port", "no such name", "silence"])
def test_an_endpoint_that_cannot_be_reached_is_named_soon(options: dict[str, str], where: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = {
            "closed port": closed_port(),
            "no such name": "http://no-such-host.invalid",
            "silence": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }[where]
        # The defaults end within 30 s, too; see the timeouts of the client.
        quick = {"s3.connection.timeout": "1 s", "s3.retry.timeout": "1 s", "s3.connection.establish.timeout": "2 s"}
        began = time.monotonic()
        with pytest.raises(PaimonStorageError, match=re.escape(place)) as raised:
            CatalogFactory.create({**options, "fs.s3.endpoint": place, **quick}).list_databases()
        assert "bucket" in str(raised.value)
        assert time.monotonic() - began < 10


def test_keys_that_are_refused_are_told_at_once(options: dict[str, str]) -> None:
    with moto(INITIAL_NO_AUTH_ACTION_COUNT="0") as strict:
        catalog = CatalogFactory.create({**options, "fs.s3.endpoint": strict, "fs.s3.accessKeySecret": "hush"})
        began = time.monotonic()
        with pytest.raises(PaimonPermissionError, match="the keys in the options: InvalidAccessKeyId") as raised:
            catalog.list_databases()
        assert time.monotonic() - began < 5
        assert strict in str(raised.value) and "bucket" in str(raised.value) and "hush" not in str(raised.value)


def test_nothing_secret_is_shown(options: dict[str, str]) -> None:
    secrets = {**options, "fs.s3.accessKeyId": "hush-key", "fs.s3.accessKeySecret": "hush-secret"}
    secrets["s3.session.token"] = "hush-token"
    catalog = create(secrets)
    table = catalog.get_table("db.t")
    write_paimon(daft.from_pydict(ROWS), "db.t", catalog_options=secrets)
    frame = read_paimon("db.t", secrets)
    shown = [repr(catalog), repr(table), str(table), repr(table.file_io), str(explain_paimon_scan("db.t", secrets))]
    assert not re.search("hush", "".join(shown))
    assert b"hush" not in pickle.dumps(catalog)
    with pytest.raises(InvalidInputError) as raised:
        CatalogFactory.create({**secrets, "warehouse": "s3://hush-key:hush-secret@bucket/path"})
    assert "hush" not in str(raised.value)
    assert "hush" not in repr(frame)


def test_an_io_config_says_what_options_leave_out() -> None:
    s3 = S3Config(endpoint_url="http://e", key_id="k", access_key="s", session_token="t", region_name="r")
    bare = {"warehouse": "s3://bucket/w"}
    completed = options_with(bare, IOConfig(s3=s3))
    assert completed == {
        **bare,
        "s3.endpoint": "http://e",
        "s3.region": "r",
        "s3.access-key": "k",
        "s3.secret-key": "s",
        "s3.session.token": "t",
    }
    config = infer_io_config(completed).s3
    assert (config.endpoint_url, config.key_id, config.access_key) == ("http://e", "k", "s")
    assert (config.session_token, config.region_name, config.force_virtual_addressing) == ("t", "r", False)
    spoken = {**bare, "s3.region": "mine"}
    assert options_with(spoken, IOConfig(s3=s3)) == spoken, "what the options say of S3 is all there is"
    assert options_with({"warehouse": "/w"}, IOConfig(s3=s3)) == {"warehouse": "/w"}
    assert infer_io_config(options_with(bare, IOConfig(s3=S3Config(anonymous=True)))).s3.anonymous


def test_a_primary_key_table_is_upserted_and_merged(options: dict[str, str]) -> None:
    catalog = CatalogFactory.create(options)
    catalog.create_database("db", True)
    schema = Schema.from_pyarrow_schema(COLUMNS, primary_keys=["id"], options={"bucket": "2"})
    catalog.create_table("db.t", schema, False)
    write_paimon(daft.from_pydict(ROWS), "db.t", options)
    changes = daft.from_pydict({"id": [2, 3], "name": ["BOB", None], "dt": ["2024-01-03", None], "op": ["+U", "-D"]})
    write_paimon(changes, "db.t", options, row_kind_column="op")
    current = read_paimon("db.t", options)
    assert current.sort("id").to_pydict()["name"] == ["alice", "BOB"]
    assert current.where(daft.col("id") == 2).to_pydict()["dt"] == ["2024-01-03"]
    assert current.count_rows() == 2


def test_a_table_with_deletion_vectors_shows_its_rows_and_is_compacted(options: dict[str, str]) -> None:
    catalog = CatalogFactory.create(options)
    catalog.create_database("db", True)
    settings = {"bucket": "1", "deletion-vectors.enabled": "true"}
    schema = Schema.from_pyarrow_schema(COLUMNS, primary_keys=["id"], options=settings)
    catalog.create_table("db.t", schema, False)
    for name in ("first", "second"):
        write_paimon(daft.from_pydict({**ROWS, "name": [name] * 3}), "db.t", options)
        assert read_paimon("db.t", options).to_pydict()["name"] == [name] * 3
    table = catalog.get_table("db.t")
    append(table.copy({"write-only": "true"}), {**ROWS, "name": ["third"] * 3})
    assert read_paimon("db.t", options).to_pydict()["name"] == ["second"] * 3
    bucket, _ = table.compact(full=True).to_pylist()
    assert (bucket["files_after"], bucket["rows_after"]) == (1, 3)
    assert read_paimon("db.t", options).to_pydict()["name"] == ["third"] * 3


def test_blobs_are_copied_between_stores_with_other_keys(options: dict[str, str], tmp_path: Path) -> None:
    source = blob_tables.create(options, "db.source")
    append(source, {"id": [0, 1, 2], "image": [b"first", None, b"third" * 10_000]})
    frame = read_paimon("db.source", options)
    local = {"warehouse": str(tmp_path)}
    blob_tables.create(local, "db.copy")
    write_paimon(frame.where(daft.col("id") > 0), "db.copy", local)
    with moto() as elsewhere:
        request(elsewhere, "PUT", "/other")
        there = {"warehouse": "s3://other/w", "s3.endpoint": elsewhere, "s3.access-key": "k", "s3.secret-key": "s"}
        blob_tables.create(there, "db.copy")
        write_paimon(frame, "db.copy", there)
        for catalog_options, wanted in [
            (local, [None, b"third" * 10_000]),
            (there, [b"first", None, b"third" * 10_000]),
        ]:
            read = read_blob(daft.col("image"), catalog_options, "db.copy").alias("bytes")
            found = read_paimon("db.copy", catalog_options).sort("id").select(read).to_pydict()["bytes"]
            assert found == wanted


def test_files_carry_the_keys_that_daft_opens_them_with(options: dict[str, str]) -> None:
    options = {**options, "fs.s3.accessKeySecret": "hush-hush"}
    append(blob_tables.create(options), {"id": [0, 1], "image": [b"opened by Daft", None]})

    @daft.func(return_dtype=daft.DataType.binary())
    def opened(file: daft.File) -> bytes | None:
        if file is None:
            return None
        with file.open() as stream:
            return stream.read()

    frame = read_paimon("db.t", options).sort("id")
    assert frame.select(opened(daft.col("image"))).to_pydict() == {"image": [b"opened by Daft", None]}
    shown = io.StringIO()
    frame.explain(True, file=shown)
    told = [
        shown.getvalue(),
        str(frame),
        repr(frame.to_pydict()["image"]),
        frame._repr_html_(),
        frame.collect()._repr_html_(),
    ]
    assert not [text for text in told if "hush-hush" in text]
