"""A run that reads files in the wrong format says which format they have."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.schemas.errors import ChecksFailedError
from tests.test_promises import run_once

JATS = b'<article article-type="research-article"><body><p>Rain.</p></body></article>'
INSIDE = "name the files in it, for example `path: a.zip!/**/*`"


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": ["a text"]}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("form", "name", "data", "hint"),
    [
        ("parquet", "a.jsonl", b'{"text": "a text"}\n', "the files of `x` end in .jsonl: `format: jsonl`?"),
        ("jsonl", "a.html", b"<p>A page", "the files of `x` end in .html: `format: html`?"),
        ("jsonl", "a.dat", b"<html>\n<p>A page", "a.dat begins with `<html>`: `format: html`?"),
        ("parquet", "a.dat", b'{"text": "a text"}\n', "a.dat begins with `{`: `format: jsonl`?"),
        ("jsonl", "a.dat", parquet(), "a.dat begins with `PAR1`: `format: parquet`?"),
        ("medline", "a.xml", JATS, "a.xml begins as `format: jats` does"),
        ("text", "a.zip", b"PK\x03\x04\0\0", f"a.zip is an archive: {INSIDE}"),
        ("jsonl", "a.jsonl", b"a text\n", None),
        ("jsonl", "a.dat", b"", None),
    ],
)
def test_the_hint_names_the_format_of_the_files(
    tmp_path: Path, form: str, name: str, data: bytes, hint: str | None
) -> None:
    """`Parquet magic bytes not found` does not say what to change."""
    (tmp_path / name).write_bytes(data)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"dataset: d\nsources:\n  - load: {{name: x, format: {form}, path: {name}}}\nstages: [extract, normalize]\n"
    )

    with pytest.raises(ChecksFailedError) as caught:
        run_once(recipe, tmp_path / "corpus")

    assert (caught.value.hint == hint) is (hint is not None)


def test_other_causes_keep_their_hint(tmp_path: Path) -> None:
    """Records without text are in the right format."""
    (tmp_path / "a.dat").write_text('{"body": "a text"}\n')
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("dataset: d\nsources:\n  - load: {name: x, format: jsonl, path: a.dat}\nstages: [normalize]\n")

    with pytest.raises(ChecksFailedError) as caught:
        run_once(recipe, tmp_path / "corpus")

    assert str(caught.value.hint).startswith("name the field that holds the text")


def test_a_format_without_a_text_field_has_no_hint_about_one(tmp_path: Path) -> None:
    """Entries of a feed that are only headlines have no text, and no field of the recipe changes that."""
    (tmp_path / "a.xml").write_text("<rss version='2.0'><channel><item><title>Rain</title></item></channel></rss>")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("dataset: d\nsources:\n  - load: {name: x, format: feed, path: a.xml}\nstages: [normalize]\n")

    with pytest.raises(ChecksFailedError, match="no_text") as caught:
        run_once(recipe, tmp_path / "corpus")

    assert str(caught.value.hint).startswith("change the recipe")
