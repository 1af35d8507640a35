"""Formats of other distributions, and what is known about all formats."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from corpusmill.command import cli
from corpusmill.crawlers import registry
from corpusmill.crawlers.load import load, loader_of
from corpusmill.crawlers.registry import LOADERS, loader_table
from corpusmill.schemas.errors import RecipeError
from tests.crawlers.loaders.reading import rows
from tests.crawlers.test_load import source

MODULE = '''
from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.streamed import Record, Streamed

class Diary(Streamed):
    """Entries of a diary, one per line: the day, a tab, and the text."""
    suffixes = (".diary",)
    about = About(license="None.", get="Write one.", tried="A line.")

    @classmethod
    def recognizes(cls, head):
        return head.startswith(b"#diary")

    def records_of(self, stream, *, name, counts, start=0, end=-1):
        for line in stream:
            if line.startswith(b"#"):
                counts["comment"] += 1
                continue
            day, _, text = line.decode().rstrip().partition("\\t")
            yield Record(line, text, day)
'''


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a distribution with a format on the path, as pip would."""
    folder = tmp_path / "site"
    metadata = folder / "diary_format-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "diary_format.py").write_text(MODULE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: diary-format\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[corpusmill.loaders]\ndiary = diary_format:Diary\n")
    monkeypatch.syspath_prepend(str(folder))
    registry._added.cache_clear()
    yield metadata
    sys.modules.pop("diary_format", None)
    registry._added.cache_clear()


@pytest.mark.usefixtures("distribution")
def test_a_distribution_adds_a_format(tmp_path: Path) -> None:
    """Its name works in a recipe, and its files are found by their suffix."""
    (tmp_path / "a.diary").write_text("#diary\n2024-05-01\tIt rained.\n")

    manifest = load(source(".", "diary"), tmp_path / "raw", base=tmp_path)

    (row,) = rows(loader_of(source(".", "diary")), Path(manifest.files[0].path))
    assert (row["source_id"], row["text"]) == ("2024-05-01", "It rained.")


def test_two_formats_with_one_name_are_refused(distribution: Path) -> None:
    """Which one is used must not depend on the order of installation."""
    (distribution / "entry_points.txt").write_text("[corpusmill.loaders]\njsonl = diary_format:Diary\n")

    with pytest.raises(RecipeError, match="two formats have the name `jsonl`") as error:
        loader_table()
    assert "diary-format" in (error.value.hint or "")


@pytest.mark.usefixtures("distribution")
def test_the_table_of_formats_has_all_of_them() -> None:
    """With license, origin and tests of the usual data."""
    listed = {row["format"]: row for row in json.loads(CliRunner().invoke(cli, ["sources", "--json"]).stdout)}

    assert set(listed) == {*LOADERS, "diary"}
    assert listed["diary"]["get"] == "Write one."
    assert all(row["license"] and row["get"] and row["tried"] for row in listed.values())
    assert listed["csv"]["suffixes"] == [".csv", ".tsv", ".tab"]
    assert listed["csv"]["compressed"]
