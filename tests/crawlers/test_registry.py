"""Formats of other distributions, and what is known about all formats."""

from __future__ import annotations

import json
import re
import sys
import tomllib
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

PAGE = Path(__file__).parents[2] / "docs/how-to/bring-your-own-loader.md"
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


@pytest.mark.parametrize(
    ("module", "reason"),
    [(None, "No module named 'diary_format'"), ("x = 1", "has no attribute 'Diary'"), ("def", "invalid syntax")],
)
def test_a_format_that_cannot_be_imported_is_named(distribution: Path, module: str | None, reason: str) -> None:
    """A distribution that was built without its module is not a bug in corpusmill."""
    path = distribution.parent / "diary_format.py"
    path.unlink()
    if module is not None:
        path.write_text(module)

    with pytest.raises(RecipeError, match="`diary` of the distribution diary-format cannot be imported") as error:
        loader_table()

    assert reason in error.value.message
    assert "pip uninstall diary-format" in (error.value.hint or "")


def test_the_page_on_own_loaders_works_as_it_stands(distribution: Path, tmp_path: Path) -> None:
    """Readers copy its files. Its loader gives no offsets, which `explain` once did not expect."""
    fences = re.findall(r"^```(python|toml|yaml|text)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    page = dict(fences)
    (distribution.parent / "diary_format.py").write_text(page["python"])
    ((group, entries),) = tomllib.loads(page["toml"])["project"]["entry-points"].items()
    lines = [f"{name} = {place}" for name, place in entries.items()]
    (distribution / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
    (tmp_path / "diaries").mkdir()
    (tmp_path / "diaries" / "a.diary").write_text(page["text"])
    (tmp_path / "recipe.yaml").write_text(page["yaml"])
    place = ("--workspace", str(tmp_path / "corpus"))

    assert "2 of 3 records published" in printed("run", str(tmp_path / "recipe.yaml"), "--workers", "1", *place)

    assert "Rain on the mill." in printed("inspect", "diaries", *place)
    assert "rule: error.unreadable" in printed("inspect", "diaries", "--ledger", *place)
    assert "1 more record is not a document: 1 `comment`" in printed("report", "diaries", *place)
    assert "a.diary, length 29\n" in printed("explain", "2024-05-01", *place)


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.usefixtures("distribution")
def test_the_table_of_formats_has_all_of_them() -> None:
    """With license, origin and tests of the usual data."""
    listed = {row["format"]: row for row in json.loads(CliRunner().invoke(cli, ["sources", "--json"]).stdout)}

    assert set(listed) == {*LOADERS, "diary"}
    assert listed["diary"]["get"] == "Write one."
    assert all(row["license"] and row["get"] and row["tried"] for row in listed.values())
    assert listed["csv"]["suffixes"] == [".csv", ".tsv", ".tab"]
    assert listed["csv"]["compressed"]
