"""Registering files: matching paths, hashing, and detecting changes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.crawlers.load import changed_files, load, loader_of, new_files
from corpusmill.crawlers.loaders.exported import Exporting
from corpusmill.crawlers.loaders.jsonl import JsonLines
from corpusmill.crawlers.registry import LOADERS
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import CorpusmillError, RecipeError, SourceError, UnfinishedError
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.recipe import LoadSource


def source(path: Any, form: str = "text", **fields: Any) -> LoadSource:
    return LoadSource.model_validate_json(json.dumps({"name": "files", "format": form, "path": path, **fields}))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.txt", "a/one.txt", "a/deep/two.txt", "a/.hidden.txt", ".git/three.txt", "a/note.md", "x[1].txt"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    return tmp_path


def names(tree: Path, path: Any, **fields: Any) -> list[str]:
    return [file.name for file in load(source(path, **fields), tree / "raw", base=tree).files]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data", ["a/deep/two.txt", "a/one.txt", "b.txt", "x[1].txt"]),
        ("data/", ["a/deep/two.txt", "a/one.txt", "b.txt", "x[1].txt"]),
        ("data/a/note.md", ["note.md"]),
        ("data/x[1].txt", ["x[1].txt"]),
        ("data/*.txt", ["b.txt", "x[1].txt"]),
        ("data/*/*", ["a/note.md", "a/one.txt"]),
        ("data/**/*.txt", ["a/deep/two.txt", "a/one.txt", "b.txt", "x[1].txt"]),
        ("data/a/**/*", ["deep/two.txt", "note.md", "one.txt"]),
        ("data/.git/*", ["three.txt"]),
        (["data/a/*.txt", "data/b.txt", "data/*.txt"], ["b.txt", "one.txt", "x[1].txt"]),
    ],
)
def test_a_path_is_a_file_a_folder_or_a_pattern(tree: Path, path: Any, expected: list[str]) -> None:
    """Names are relative to the pattern's fixed part; hidden files are skipped; a file counts once."""
    assert names(tree, path) == expected


def test_a_path_may_begin_with_an_environment_variable(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of files is not part of a version."""
    monkeypatch.setenv("SOMEWHERE", str(tree / "data"))

    assert names(tree, "${SOMEWHERE}/*.txt") == ["b.txt", "x[1].txt"]
    with pytest.raises(RecipeError, match="NOWHERE is not set"):
        names(tree, "${NOWHERE}/*.txt")


def test_links_that_lead_out_of_a_folder_are_not_followed(tree: Path) -> None:
    """Only files in the folder belong to the source."""
    (tree / "secret").mkdir()
    (tree / "secret" / "key.txt").write_text("key")
    (tree / "data" / "out.txt").symlink_to(tree / "secret" / "key.txt")
    (tree / "data" / "out").symlink_to(tree / "secret")
    (tree / "data" / "loop").symlink_to(tree / "data")
    (tree / "data" / "inside.txt").symlink_to("b.txt")

    expected = ["a/deep/two.txt", "a/one.txt", "b.txt", "inside.txt", "x[1].txt"]

    assert names(tree, "data") == expected
    assert names(tree, "data/**/*.txt") == expected
    assert load(source("data"), tree / "raw", base=tree).counts["skipped_links"] == 3


def test_the_manifest_has_the_hashes_of_the_files(tree: Path) -> None:
    """It is written last, and can be read back."""
    reported: list[tuple[int, int]] = []

    manifest = load(source("data/*.txt"), tree / "raw", base=tree, progress=lambda *counts: reported.append(counts))

    file = manifest.files[0]
    data = (tree / "data" / "b.txt").read_bytes()
    assert (file.path, file.size, file.sha256) == (
        str(tree / "data" / "b.txt"),
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    assert RawManifest.model_validate_json((tree / "raw" / "manifest.json").read_bytes()) == manifest
    assert [path.name for path in (tree / "raw").iterdir()] == ["manifest.json"]
    assert reported[-1] == (sum(file.size for file in manifest.files),) * 2


def test_equal_files_are_both_listed(tree: Path) -> None:
    """Files with different names are different documents, even with equal content."""
    (tree / "data" / "c.txt").write_bytes((tree / "data" / "b.txt").read_bytes())

    assert names(tree, "data/?.txt") == ["b.txt", "c.txt"]


def test_a_copy_is_named_by_its_content_and_outlives_the_file(tree: Path) -> None:
    """`--copy` keeps the loaded files."""
    manifest = load(source("data/*.txt"), tree / "raw", base=tree, copy=True)

    (tree / "data" / "b.txt").unlink()

    file = manifest.files[0]
    assert file.path == f"files/{file.sha256}.txt"
    assert (tree / "raw" / file.path).read_text() == "text of b.txt"
    assert changed_files(manifest, raw=tree / "raw") == []


def test_a_changed_file_is_noticed_by_its_content(tree: Path) -> None:
    """A new time is not a change; other content of the same length is, and so is a missing file."""
    manifest = load(source("data/**/*.txt"), tree / "raw", base=tree)
    two, one, b, _ = (Path(file.path) for file in manifest.files)

    os.utime(one, ns=(1, 1))
    b.write_text(b.read_text().upper())
    two.unlink()

    assert [file.name for file in changed_files(manifest)] == ["a/deep/two.txt", "b.txt"]


def test_new_files_are_found_without_reading_any(tree: Path) -> None:
    """A run can then say that `load` would register more files."""
    text_source = source("data/**/*.txt")
    manifest = load(text_source, tree / "raw", base=tree)

    (tree / "data" / "a" / "more.txt").write_text("more")

    assert new_files(text_source, manifest, base=tree) == ["a/more.txt"]


def test_two_files_that_would_be_one_document_are_refused(tree: Path) -> None:
    """The name is the id of a document; in formats with other ids, equal names are allowed."""
    for folder in ("p", "q"):
        (tree / folder).mkdir()
        (tree / folder / "x.jsonl").write_text('{"text": "a"}\n')

    with pytest.raises(RecipeError, match="two files would become one document, x"):
        names(tree, ["p/*", "q/*"])
    assert names(tree, ["p/*", "q/*"], form="jsonl") == ["x.jsonl", "x.jsonl"]


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"path": "dato/*.txt"}, "no file matches dato/*.txt", "did you mean `data`"),
        ({"path": "data/*.csv"}, "no file matches data/*.csv", "has .git, a, b.txt"),
        ({"path": "data", "form": "html"}, "no file that ends in .html", "data/**/*.md"),
        ({"path": "data", "form": "htlm"}, "unknown format 'htlm'", "did you mean `html`?"),
        ({"path": "data", "text_field": "body"}, "format text has no field `text_field`", "fields of text: name"),
        ({"path": "x", "form": "jsonl", "textfield": "a"}, "no field `textfield`", "did you mean `text_field`?"),
    ],
)
def test_a_source_that_cannot_be_found_says_what_is_there(
    tree: Path, fields: dict[str, Any], message: str, hint: str
) -> None:
    """The nearest name helps to correct the recipe."""
    with pytest.raises(CorpusmillError) as caught:
        names(tree, **fields)

    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


def test_a_table_without_its_text_column_is_refused_before_any_work(tree: Path) -> None:
    """Nothing is registered if the column is missing."""
    pq.write_table(pa.table({"body": ["a"]}), tree / "t.parquet")

    with pytest.raises(SourceError) as caught:
        names(tree, "t.parquet", form="parquet")

    assert (caught.value.file, caught.value.hint) == (str(tree / "t.parquet"), "text_field: body")
    assert not (tree / "raw").exists()


def test_a_workspace_that_cannot_be_written_is_an_unfinished_run(tree: Path) -> None:
    """Exit code 5 says that the same command can succeed later."""
    (tree / "raw").write_text("a file where the folder should be")

    with pytest.raises(UnfinishedError) as caught:
        names(tree, "data")

    assert caught.value.hint


def test_every_format_in_the_table_has_a_loader() -> None:
    """The table has strings, so only a test detects a wrong one."""
    for form in LOADERS:
        loader = loader_of(source("x", form))
        assert loader.suffixes or isinstance(loader, Exporting), form


def test_a_crawl_is_read_as_an_archive() -> None:
    """The files of a crawl are WARC files."""
    crawl = CrawlSource.model_validate_json(
        '{"name": "a", "start_urls": ["https://a.example/"], "contact": "mailto:a@b.example"}'
    )

    assert type(loader_of(crawl)).__name__ == "Warc"


def test_fields_of_the_recipe_reach_the_loader() -> None:
    """Fields are validated strictly: a number is not a field name."""
    assert loader_of(source("x", "jsonl", text_field="body")) == JsonLines(text_field="body")
    with pytest.raises(RecipeError, match="two_fields"):
        loader_of(source("x", "jsonl", two_fields=True))


def test_an_encoding_that_nobody_knows_is_refused_with_a_hint() -> None:
    """The error is raised before any file is read."""
    assert loader_of(source("x", "text", encoding="latin1")).model_dump() == {"encoding": "latin1"}
    with pytest.raises(RecipeError, match="WHATWG") as caught:
        loader_of(source("x", "text", encoding="windows1252"))

    assert (caught.value.field, caught.value.hint) == ("encoding", "did you mean `windows-1252`?")


def test_file_names_that_are_not_utf8_are_refused_by_name(tree: Path) -> None:
    """Such names cannot be written into a manifest."""
    with open(os.fsencode(tree / "data") + b"/\xff.txt", "wb") as file:  # noqa: PTH123, a name that str has no form for
        file.write(b"text")

    with pytest.raises(SourceError, match="not UTF-8"):
        names(tree, "data")


def test_what_is_no_regular_file_is_not_read(tree: Path) -> None:
    """Reading a pipe or a device may never end."""
    os.mkfifo(tree / "data" / "pipe.txt")

    for path in ("data/pipe.txt", "/dev/zero"):
        with pytest.raises(SourceError, match="not a regular file"):
            names(tree, path)
    with pytest.raises(SourceError, match="no file matches"):
        names(tree, "data/pipe*")
    assert "pipe.txt" not in names(tree, "data") + names(tree, "data/*") + names(tree, "data/**/*")


def test_a_file_that_became_a_pipe_has_changed(tree: Path) -> None:
    """An empty file and a pipe have the same size."""
    path = tree / "data" / "empty.txt"
    path.touch()
    manifest = load(source("data/empty.txt"), tree / "raw", base=tree)
    path.unlink()
    os.mkfifo(path)

    assert [file.name for file in changed_files(manifest)] == ["empty.txt"]


def test_a_manifest_counts_records_and_skipped_files(tree: Path) -> None:
    """Users see a forgotten kind of file before anything runs."""
    (tree / "data" / "table.csv.gz").write_bytes(b"")
    (tree / "data" / "README").write_text("read me")

    folder = load(source("data"), tree / "raw", base=tree)
    pattern = load(source("data/**/*.txt"), tree / "raw", base=tree)

    others = {"passed_over..csv.gz": 1, "passed_over..md": 1, "passed_over.without a suffix": 1}
    assert folder.counts == {"records": 4, **others}
    assert pattern.counts == {"records": 4}


def test_records_are_counted_if_files_have_their_number(tree: Path) -> None:
    """Parquet files have it, JSON Lines do not; damaged files are handled when they are read."""
    pq.write_table(pa.table({"text": ["a", "b"]}), tree / "a.parquet")
    (tree / "a.jsonl").write_text('{"text": "a"}\n')

    assert load(source("a.parquet", "parquet"), tree / "raw", base=tree).counts == {"records": 2}
    assert load(source("a.jsonl", "jsonl"), tree / "raw", base=tree).counts == {}
    (tree / "b.parquet").write_bytes(b"PAR1 nonsense")
    assert load(source("*.parquet", "parquet"), tree / "raw", base=tree).counts == {}


def test_a_link_to_itself_is_passed_over(tmp_path: Path) -> None:
    """Python 3.11 raises RuntimeError for it, and one link ended plan and run."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a text")
    (tmp_path / "data" / "loop.txt").symlink_to("loop.txt")

    manifest = load(LoadSource(name="s", format="text", path="data"), tmp_path / "raw", base=tmp_path)

    assert [file.name for file in manifest.files] == ["a.txt"]
