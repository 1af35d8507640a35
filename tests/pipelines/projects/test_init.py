"""`corpusmill init`: a first recipe that runs unchanged, for templates and for the user's files."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpusmill.crawlers.registry import LOADERS
from corpusmill.pipelines.projects.init import TEMPLATES, init
from corpusmill.pipelines.projects.sniff import Records, fields_of
from corpusmill.pipelines.recipes.paths import absolute_pattern
from corpusmill.pipelines.recipes.reading import LoadedRecipe, load_recipe
from corpusmill.schemas.errors import UnfinishedError, UsageError
from corpusmill.schemas.recipe import LoadSource

ROWS = [
    {"key": index, "url": f"https://example.org/{index}", "name": "n", "body": f"Text {index}. " * 5}
    for index in range(9)
]


def read(recipe: Path) -> LoadedRecipe:
    return load_recipe(recipe, loaders=LOADERS)


def sources(loaded: LoadedRecipe) -> dict[str, LoadSource]:
    return {source.name: source for source in loaded.recipe.sources if isinstance(source, LoadSource)}


FORMATS = {
    "wikipedia": "wikipedia",
    "news": "feed",
    "papers": "jats",
    "medical": "fhir",
    "books": "gutenberg",
    "forum": "stackexchange",
    "code": "git",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_a_valid_recipe(tmp_path: Path, template: str) -> None:
    """The first run of a new user must not fail."""
    form = FORMATS.get(template)
    if form is not None and form not in LOADERS:
        pytest.skip(f"the format {form} is not built yet")

    started = init(tmp_path / "project", template=template, loaders=LOADERS)

    assert read(started.recipe).recipe.dataset == ("first" if form is None else template)
    assert all(path.exists() for path in started.written)


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    """A second `init` in the wrong folder must not destroy a recipe."""
    (tmp_path / "recipe.yaml").write_text("mine\n")

    with pytest.raises(UsageError, match=r"recipe\.yaml exists"):
        init(tmp_path, loaders=LOADERS)

    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]
    assert (tmp_path / "recipe.yaml").read_text() == "mine\n"


def test_own_files_of_every_format_are_read(tmp_path: Path) -> None:
    """Each readable kind of file becomes a source; other kinds are reported and left out."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.html").write_text("<p>Hello.</p>")
    (tmp_path / "pages" / "b.HTML").write_text("<p>Hello again.</p>")
    (tmp_path / "pages" / "notes [old].md").write_text("# Notes\n")
    (tmp_path / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "c.html").write_text("<p>Not for you.</p>")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)))
    (tmp_path / "other.jsonl.zst").write_bytes(zstandard.compress(b'{"text": "A sentence of text.", "id": "x"}\n'))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")

    started = init(tmp_path, source=tmp_path, loaders=LOADERS)

    by_format = sources(read(started.recipe))
    assert by_format["html"].paths == ("pages/**/*.HTML", "pages/**/*.html")
    assert by_format["markdown"].path == "pages/**/*.md"
    assert by_format["parquet"].path == "*.parquet"
    assert {(s.text_field, s.id_field) for s in by_format.values() if s.format == "jsonl"} == {
        ("body", "url"),
        ("text", "id"),
    }
    assert (by_format["parquet"].text_field, by_format["parquet"].id_field) == ("body", "url")
    assert "1 × .png, 8 B: left out, no loader reads this format" in started.saw
    assert "1 × .png" in started.recipe.read_text()


@pytest.mark.parametrize(
    "content",
    [json.dumps(ROWS), json.dumps(ROWS, indent=2), json.dumps({"data": ROWS}), json.dumps({"data": ROWS}, indent=2)],
)
@pytest.mark.parametrize("pack", [bytes, bz2.compress, lzma.compress])
def test_fields_of_an_array_are_found(tmp_path: Path, content: str, pack: Callable[[bytes], bytes]) -> None:
    """JSON files often hold one array, and may be compressed."""
    (tmp_path / "rows.json.bz2").write_bytes(pack(content.encode()))

    (source,) = sources(read(init(tmp_path, source=tmp_path, loaders=LOADERS).recipe)).values()

    assert (source.path, source.text_field, source.id_field) == ("*.json.bz2", "body", "url")


def test_the_workspace_is_not_an_input(tmp_path: Path) -> None:
    """By default, the workspace is beside the files, and contains Parquet files."""
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    first = init(tmp_path, source=tmp_path, loaders=LOADERS)
    (tmp_path / "corpus" / "versions").mkdir(parents=True)
    (tmp_path / "corpus" / "corpusmill.db").touch()
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "corpus" / "versions" / "train.parquet")

    second = init(tmp_path / "again", source=tmp_path, loaders=LOADERS)

    assert sources(read(first.recipe))["parquet"].path == "*.parquet"
    assert "1 × .parquet" in " ".join(second.saw)


def test_files_with_other_fields_become_sources_of_their_own(tmp_path: Path) -> None:
    """A source has one text field, so its pattern must not match files of other sources."""
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "Some words here."}\n')
    (tmp_path / "b.jsonl").write_text('{"id": 1, "content": "Some words there."}\n')
    (tmp_path / "c.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "d.jsonl").write_text("")

    started = init(tmp_path, source=tmp_path, loaders=LOADERS)

    by_format = sources(read(started.recipe))
    assert {source.path: source.text_field for source in by_format.values()} == {
        "a.jsonl": "text",
        "b.jsonl": "content",
    }
    assert sum("left out" in line for line in started.saw) == 2


def test_a_single_file_elsewhere_has_an_absolute_path(tmp_path: Path) -> None:
    """The recipe may be in another folder than the files."""
    file = tmp_path / "my rows [1].jsonl"
    file.write_text('{"id": 1, "text": "Some words here."}\n')

    started = init(tmp_path / "project", source=file, loaders=LOADERS)

    loaded = read(started.recipe)
    assert loaded.recipe.dataset == "my-rows-1"
    (path,) = sources(loaded)["jsonl"].paths
    assert absolute_pattern(path, base=loaded.path.parent) == f"{tmp_path}/my rows [[]1].jsonl"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.parquet", b"PAR1 but not really"),
        ("a.jsonl.gz", b"\x1f\x8b cut"),
        ("a.jsonl", b"\xff\xfe\n[1]\n"),
        ("a.xyz", b""),
    ],
)
def test_unreadable_files_are_reported_and_nothing_is_written(tmp_path: Path, name: str, data: bytes) -> None:
    """A recipe without sources would fail later."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(data)

    with pytest.raises(UsageError, match=r"no file in .* can be read: 1 ×") as caught:
        init(tmp_path / "project", source=tmp_path / "data", loaders=LOADERS)

    assert "jsonl" in (caught.value.hint or "")
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("b.jsonl", "not json\n", "cannot be read: no line is JSON"),
        ("b.jsonl", "[1]\nnull\n", "no records, which are JSON objects or rows"),
        ("b.jsonl", '{"id": 1}\n', "no field with text"),
        ("b.jsonl", '{"text": "one"}\n{"te\n{"text": null}\n{"id": "3"}\n', "only 1 of the first 3 records has text"),
        ("b.orc", "id,text\n", "no loader reads this format; convert it to JSON Lines or Parquet"),
        ("b.avro.gz", "id", "no loader reads this format; convert it to JSON Lines or Parquet"),
        ("b.csv", "<html></html>", "cannot be read: begins with `<html></html`"),
        (".hidden", "x", "has no files, or only hidden ones"),
    ],
)
def test_the_reason_why_files_are_left_out_is_right(tmp_path: Path, name: str, content: str, reason: str) -> None:
    """A user who reads `no field with text` searches for another mistake."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_text(content)

    with pytest.raises(UsageError) as caught:
        init(tmp_path / "project", source=tmp_path / "data", loaders=LOADERS)

    assert reason in caught.value.message
    assert "nothing" not in caught.value.message


def test_wrong_use_is_reported(tmp_path: Path) -> None:
    """The hint has the allowed values."""
    with pytest.raises(UsageError, match="unknown template `sites`") as caught:
        init(tmp_path, template="sites", loaders=LOADERS)
    assert caught.value.hint == f"did you mean `site`?; templates: {', '.join(TEMPLATES)}"

    with pytest.raises(UsageError, match="does not exist"):
        init(tmp_path, source=tmp_path / "missing", loaders=LOADERS)
    with pytest.raises(UsageError, match="exclude each other"):
        init(tmp_path, source=tmp_path, template="site", loaders=LOADERS)


def test_a_folder_that_cannot_be_created_is_unfinished(tmp_path: Path) -> None:
    """Exit code 5 says that the command is valid."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UnfinishedError):
        init(tmp_path / "file" / "project", loaders=LOADERS)


def test_the_longest_texts_are_the_text_and_a_unique_name_is_the_id() -> None:
    """Titles are also texts, but short; a repeated id identifies nothing."""
    rows = [{"id": 1, "url": f"u{index}", "title": "Short", "story": "Long " * 20} for index in range(3)]

    assert fields_of(rows) == Records(text_field="story", id_field="url")
    assert fields_of([]) == Records(text_field=None, id_field=None)
    assert fields_of([{"id": 1}, {"n": 2.5}]) == Records(text_field=None, id_field=None)


def two_files(folder: Path, rows: list[list[dict[str, object]]], *, suffix: str = ".jsonl") -> Path:
    """Write JSON Lines into two files of a new folder."""
    (folder / "rows").mkdir()
    for number, part in enumerate(rows):
        path = folder / "rows" / f"part-{number}{suffix}"
        path.write_text("".join(json.dumps(row) + "\n" for row in part))
    return folder / "rows"


def test_ids_that_begin_again_in_each_file_are_joined_to_its_name(tmp_path: Path) -> None:
    """With `id_field` alone, half of the records would not be published."""
    start = two_files(tmp_path, [[{"id": n, "text": f"text {n} of part {part}"} for n in range(3)] for part in (0, 1)])

    started = init(tmp_path / "project", source=start, loaders=LOADERS)

    (source,) = sources(read(started.recipe)).values()
    assert source.options["id_from"] == ["file", "id"]
    assert "records named by file and `id`, which starts again in each file" in started.saw[0]


@pytest.mark.parametrize(
    "parts",
    [
        [[{"id": 1, "text": "one text"}], [{"id": 2, "text": "another text"}]],
        [[{"id": 1, "text": "one text"}], [{"id": 1, "text": "one text"}]],
        [
            [{"id": 1, "text": "old", "fetched_at": "2024-01-01"}],
            [{"id": 1, "text": "new", "fetched_at": "2024-01-02"}],
        ],
    ],
)
def test_ids_that_name_one_record_each_stay_as_they_are(tmp_path: Path, parts: list[list[dict[str, object]]]) -> None:
    """Repeated records and captures of a document should have the same id."""
    started = init(tmp_path / "project", source=two_files(tmp_path, parts), loaders=LOADERS)

    (source,) = sources(read(started.recipe)).values()
    assert (source.id_field, source.options.get("id_from")) == ("id", None)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.zst"])
def test_members_of_archives_become_sources(tmp_path: Path, suffix: str) -> None:
    """A corpus often comes as one archive, which is read without being unpacked."""
    members = {"a/one.txt": b"One long text.", "a/t.csv": b"id,body\n1,words of a row\n", "a/.hid.md": b"# Hidden"}
    path = tmp_path / f"all{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        pack = gzip.compress if suffix.endswith("gz") else zstandard.compress
        path.write_bytes(pack(packed.getvalue()))

    init(tmp_path / "project", source=str(path), loaders=LOADERS)

    found = sources(read(tmp_path / "project" / "recipe.yaml")).values()
    assert {(source.format, source.path, source.text_field) for source in found} == {
        ("text", f"{path}!/**/*.txt", None),
        ("csv", f"{path}!/**/*.csv", "body"),
    }


@pytest.mark.parametrize(
    ("name", "data", "form"),
    [
        ("feed.json", b'{"version": "https://jsonfeed.org/version/1.1", "items": []}', "feed"),
        ("a.warc.wat", b"WARC/1.0\r\nWARC-Type: metadata\r\n", "warc"),
        ("a.xml", "<mediawiki xmlns='x'>".encode("utf-16"), "wikipedia"),
    ],
)
def test_formats_behind_general_names_are_recognized(tmp_path: Path, name: str, data: bytes, form: str) -> None:
    """Each of them was taken for another format, or left out."""
    (tmp_path / name).write_bytes(data)

    init(tmp_path / "project", source=str(tmp_path / name), loaders=LOADERS)

    assert f"format: {form}\n" in (tmp_path / "project" / "recipe.yaml").read_text()
