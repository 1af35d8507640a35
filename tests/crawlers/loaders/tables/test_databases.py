"""SQLite, Arrow, Hugging Face and PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather

from corpusmill.crawlers.load import changed_files, load, loader_of, new_files, preview
from corpusmill.crawlers.loaders.arrow import Arrow
from corpusmill.crawlers.loaders.sqlite import Sqlite
from corpusmill.schemas.errors import SourceError, UnfinishedError
from tests.crawlers.loaders.reading import rows
from tests.crawlers.test_load import source


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, text TEXT, data BLOB)")
        values = [(1, "T", "one", b"b"), (2, None, "two", None), (3, "U", None, None), (5, "B", b"AB", None)]
        connection.executemany("INSERT INTO articles VALUES (?, ?, ?, ?)", values)
        connection.execute("INSERT INTO articles VALUES (4, 'bad', CAST(x'ff41' AS TEXT), NULL)")
    connection.close()
    return path


def test_rows_of_a_table_are_documents(database: Path) -> None:
    """What is not text is set aside."""
    found = {row["source_id"]: row["rule"] or (row["text"], row["title"]) for row in rows(Sqlite(), database)}

    assert found == {
        "1": ("one", "T"),
        "2": ("two", None),
        "3": "error.no_text",
        "4": "error.encoding",
        "5": "error.not_text",
    }
    first, *_ = rows(Sqlite(query="SELECT id, upper(title) AS text FROM articles WHERE id = 1"), database)
    assert (first["source_id"], first["text"]) == ("1", "T")


def test_a_database_in_an_archive_or_compressed_is_read(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite needs a file, which is copied to the scratch folder."""
    monkeypatch.setenv("CORPUSMILL_SCRATCH", str(database.parent / "scratch"))
    with zipfile.ZipFile(database.parent / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(database, "a.db")

    manifest = load(source("a.zip!/*.db", "sqlite"), database.parent / "raw", base=database.parent)

    assert len(rows(Sqlite(), Path(manifest.files[0].path))) == 5


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"table": "article"}, "has no table"),
        ({"query": "DELETE FROM articles"}, "may only read"),
        ({"query": "ATTACH 'x' AS y"}, "may only read"),
        ({"query": "SELEC"}, "syntax error"),
        ({"query": "SELECT 1 AS text; DELETE FROM articles"}, "one statement"),
        ({"query": "SELECT text, title AS text FROM articles"}, "two columns have the name `text`"),
        ({"text_field": "body"}, "has no column `body`"),
    ],
)
def test_a_wrong_query_is_refused_with_a_hint(database: Path, options: dict[str, str], problem: str) -> None:
    """Before any work, and nothing is written."""
    with pytest.raises(SourceError, match=problem) as error:
        Sqlite(**options).check(str(database))
    assert error.value.hint


def test_a_query_without_end_is_stopped(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view of a hostile database may compute for ever."""
    monkeypatch.setattr("corpusmill.crawlers.loaders.sqlite._MAX_STEPS", 3_000_000)
    query = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) AS text FROM r"

    (row,) = rows(Sqlite(query=query), database)

    assert row["rule"] == "error.too_complex"


def test_a_full_text_index_and_generated_columns_are_read(tmp_path: Path) -> None:
    """The tables behind an index are not tables of their own, and a computed column is one of the table."""
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE VIRTUAL TABLE pages USING fts5(title, text)")
        connection.execute("INSERT INTO pages VALUES ('T', 'indexed words')")
    with sqlite3.connect(tmp_path / "b.db") as computed:
        computed.execute("CREATE TABLE pages (title TEXT, text TEXT GENERATED ALWAYS AS (title || '!'))")
        computed.execute("INSERT INTO pages (title) VALUES ('T')")
    connection.close()
    computed.close()

    found = [rows(Sqlite(), tmp_path / name)[0] for name in ("a.db", "b.db")]

    assert [(row["title"], row["text"]) for row in found] == [("T", "indexed words"), ("T", "T!")]


def test_the_log_of_an_open_database_belongs_to_it(tmp_path: Path) -> None:
    """Rows that are only in the log are read, and reading writes no file beside the database."""
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE pages (id, text)")
    connection.execute("INSERT INTO pages VALUES ('1', 'in the log')")
    connection.commit()

    assert [row["text"] for row in rows(Sqlite(), path)] == ["in the log"]
    assert Sqlite().companions(str(path)) == (f"{path}-wal",)
    connection.close()
    assert Sqlite().companions(str(path)) == ()
    assert [row["text"] for row in rows(Sqlite(), path)] == ["in the log"]
    assert [each.name for each in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"SQLite format 3\0" + b"x" * 5000, "error.damaged"),
        (b"no database", "error.wrong_format"),
        (b"", "error.empty"),
        (random.Random(1).randbytes(8192), "error.encrypted"),
    ],
)
def test_a_damaged_database_is_one_row(tmp_path: Path, data: bytes, rule: str) -> None:
    """Its message names the file."""
    path = tmp_path / "a.db"
    path.write_bytes(data)

    (row,) = rows(Sqlite(), path)

    assert row["rule"] == rule
    assert row["message"].startswith("name: ")


def test_a_schema_that_is_not_utf8_is_one_row(tmp_path: Path) -> None:
    """SQLite quotes the schema in its message, which Python cannot decode then."""
    path = tmp_path / "a.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE docs (id, text)")
    path.write_bytes(path.read_bytes().replace(b"TABLE docs", b"TABL\xba docs"))

    Sqlite(table="docs").check(str(path))
    (row,) = rows(Sqlite(query="SELECT * FROM docs"), path)

    assert row["rule"] == "error.damaged"


def arrow_files(folder: Path) -> list[Path]:
    table = pa.table({"id": [1, 2], "text": ["a", "b"], "n": [1.5, None]})
    with pa.OSFile(str(folder / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(folder / "a.arrows"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    feather.write_feather(table, str(folder / "a.feather"), compression="zstd")
    return [folder / "a.arrow", folder / "a.arrows", folder / "a.feather"]


def test_arrow_files_and_streams_are_read(tmp_path: Path) -> None:
    """All forms give the same records, and are recognized by their first bytes."""
    for path in arrow_files(tmp_path):
        first, second = rows(Arrow(), path)
        assert (first["source_id"], first["text"], first["metadata"], second["text"]) == ("1", "a", {"n": "1.5"}, "b")
        assert Arrow.recognizes(path.read_bytes()[:512])
        path.write_bytes(path.read_bytes()[:200])
        assert rows(Arrow(), path)[-1]["rule"] == "error.damaged"


def test_a_missing_column_of_an_arrow_file_is_an_error(tmp_path: Path) -> None:
    """As in Parquet."""
    path = arrow_files(tmp_path)[0]

    with pytest.raises(SourceError, match="has no column `body`"):
        Arrow(text_field="body").check(str(path))


def test_a_hugging_face_folder_is_exported_through_the_library(tmp_path: Path) -> None:
    """A selection of rows counts, which the files alone do not show."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    table = datasets.Dataset.from_dict({"id": ["a", "b", "c"], "text": ["one", "two", "three"]})
    datasets.DatasetDict({"train": table.select([2, 0]), "test": table.select([1])}).save_to_disk(tmp_path / "saved")
    wanted = source("saved", "huggingface", id_field="id")

    manifest = load(wanted, tmp_path / "raw", base=tmp_path)

    found = [row for file in manifest.files for row in rows(loader_of(wanted), tmp_path / "raw" / file.path)]
    assert [(row["source_id"], row["text"], row["metadata"]["split"]) for row in found] == [
        ("c", "three", "train"),
        ("a", "one", "train"),
        ("b", "two", "test"),
    ]
    assert changed_files(manifest, raw=tmp_path / "raw") == []
    assert new_files(wanted, manifest, base=tmp_path) == []
    assert preview(wanted, base=tmp_path).files == ()
    with pytest.raises(SourceError, match="has no split `dev`"):
        load(source("saved", "huggingface", split="dev"), tmp_path / "raw", base=tmp_path)
    with pytest.raises(SourceError, match="no such folder"):
        load(source("nothing", "huggingface"), tmp_path / "raw", base=tmp_path)


def test_a_class_of_a_hugging_face_data_set_is_its_name(tmp_path: Path) -> None:
    """A template of `{label}: {text}` would otherwise have numbers that only the library can explain."""
    datasets = pytest.importorskip("datasets")
    kinds = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    table = datasets.Dataset.from_dict({"text": ["one", "two"], "label": [1, None]}, features=kinds)
    table.save_to_disk(tmp_path / "saved")
    wanted = source("saved", "huggingface", text_field="{label}: {text}")

    manifest = load(wanted, tmp_path / "raw", base=tmp_path)

    found = rows(loader_of(wanted), tmp_path / "raw" / manifest.files[0].path)
    assert [row["text"] for row in found] == ["good: one", ": two"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real PostgreSQL on the loopback interface, and return the address of a database."""
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("postgresql")
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        for parent in (folder, *folder.parents[:3]):
            parent.chmod(0o755)
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run: Any = subprocess.run
    command = [str(places[-1] / "initdb"), "-D", str(folder / "data"), "-U", "me", "-A", "trust", "--no-sync"]
    run(command, check=True, capture_output=True, cwd="/", **user)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    control = [str(places[-1] / "pg_ctl"), "-D", str(folder / "data"), "-w", "-l", str(folder / "log")]
    run([*control, "-o", options, "start"], check=True, capture_output=True, cwd="/", **user)
    try:
        yield f"postgresql://me@127.0.0.1:{port}/postgres"
    finally:
        run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/", **user)


def test_rows_of_a_query_are_exported_once(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs read the export, so that a change of the database does not change what a run resumes."""
    import psycopg

    monkeypatch.setenv("DATABASE_URL", server)
    with psycopg.connect(server) as connection:
        connection.execute("CREATE TABLE notes (id int, text text, at timestamptz, data jsonb, tags text[], ip inet)")
        connection.execute(
            "INSERT INTO notes VALUES (1, 'one', '2020-01-02T03:04:05Z', '{\"a\": 1}', '{x,y}', '10.0.0.1'), "
            "(2, NULL, NULL, NULL, NULL, NULL)"
        )
    wanted = source("${DATABASE_URL}", "postgresql", query="SELECT * FROM notes")

    manifest = load(wanted, tmp_path / "raw", base=tmp_path)

    (file,) = manifest.files
    first, second = rows(loader_of(wanted), tmp_path / "raw" / file.path)
    assert (file.name, first["source_id"], first["text"], second["rule"]) == ("postgres", "1", "one", "error.no_text")
    assert first["metadata"] == {
        "at": "2020-01-02T03:04:05Z",
        "data": '{"a":1}',
        "ip": "10.0.0.1",
        "tags": '["x","y"]',
    }
    assert server not in (tmp_path / "raw" / "manifest.json").read_text()
    times = "SELECT 'x' AS text, 'infinity'::date AS day, '24:00'::time AS hour, '4713-01-01 BC'::timestamptz AS at"
    manifest = load(source("${DATABASE_URL}", "postgresql", query=times), tmp_path / "raw", base=tmp_path)
    (row,) = rows(loader_of(wanted), tmp_path / "raw" / manifest.files[0].path)
    assert row["metadata"] == {"at": "4713-01-01 00:00:00+00 BC", "day": "infinity", "hour": "24:00:00"}
    problems = {
        "SELECT nope FROM notes": "nope",
        "DELETE FROM notes": "query fails",
        "SELECT text, id AS text FROM notes": "two columns have the name `text`",
        r"SELECT id, '\x01'::bytea AS text FROM notes": "column `text` has bytes",
    }
    for query, problem in problems.items():
        with pytest.raises(SourceError, match=problem):
            load(source("${DATABASE_URL}", "postgresql", query=query), tmp_path / "raw", base=tmp_path)
    with pytest.raises(UnfinishedError):
        load(source("postgresql://me@127.0.0.1:1/x", "postgresql", query="SELECT 1"), tmp_path / "raw", base=tmp_path)
