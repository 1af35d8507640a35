"""The comparisons with other tools: what they count, and that each side of ours does what is measured."""

from __future__ import annotations

import doctest
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import near_dedup
from benchmarks.extraction.gold import OPEN_LICENSE
from benchmarks.peers import counting, html_to_shard, packed_sequences, reporting
from benchmarks.peers.counting import difference
from benchmarks.peers.html_to_shard import Outcome, language_model, run
from benchmarks.peers.killed_crawl import (
    Tool,
    asked_again,
    cpu_a_page,
    killed_crawl,
    our_command,
    our_pages,
    scrapy_pages,
    site_pages,
)
from benchmarks.peers.main_text import OURS, Reviewed, extracted, fits_of, learned_sources, quality, reviewed_pages
from benchmarks.peers.near_duplicates import cells, removed
from benchmarks.peers.reporting import Row, cost_of, program, report, versions
from benchmarks.peers.resuming import measured
from benchmarks.runs.documents import write_documents
from tests.crawlers.sites import serve

PAIRS = pa.table({"a": ["x", "y", "v"], "b": ["y", "z", "w"], "j": [0.85, 0.95, 0.6]})


@pytest.mark.parametrize("module", [counting, reporting, near_dedup], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    """They say what is counted."""
    result = doctest.testmod(module)

    assert result.attempted
    assert not result.failed


class TestCounting:
    """A figure about another tool has to be right."""

    def test_what_is_expected_twice_may_come_twice(self) -> None:
        """Two rows of tokens may be equal."""
        assert difference(["row", "row"], ["row", "row"]) == (0, 0)
        assert difference(["row", "row"], ["row"]) == (1, 0)
        assert difference(["row"], ["row", "other"]) == (0, 1)

    def test_of_a_mapping_its_keys_are_compared(self) -> None:
        """A site is a mapping from paths to answers; a counter of it would hold the answers."""
        assert difference({"/": 7, "/1": 0}, ["/"]) == (1, 0)

    def test_a_removed_document_is_an_orphan_when_what_is_near_it_is_removed_too(self) -> None:
        """And wrong when nothing is near it; that is an orphan as well."""
        assert near_dedup.scores({"x"}, PAIRS, threshold=0.8)["orphans"] == 0
        assert near_dedup.scores({"y", "z"}, PAIRS, threshold=0.8)["orphans"] == 1
        score = near_dedup.scores({"v"}, PAIRS, threshold=0.8)
        assert (score["wrong"], score["orphans"], score["recall@0.8"]) == (1, 1, 0.0)

    def test_cells_say_what_was_removed(self) -> None:
        """The same for each tool."""
        assert cells(1_000, PAIRS, {"y", "v"}, cpu_s=0.5) == {
            "documents a CPU second": "2,000",
            "recall at 0.8": "1.0000",
            "removed; wrong; orphans": "2; 1; 1",
        }


class Rows:
    """Ten rows; one that is resumed begins *late* rows after the place where it stopped."""

    def __init__(self, late: int) -> None:
        self.late = late
        self.next = 0

    def __iter__(self) -> Iterator[bytes]:
        for row in range(self.next, 10):
            self.next = row + 1
            yield bytes([row])

    def state_dict(self) -> dict[str, Any]:
        return {"next": self.next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.next = state["next"] + self.late


@pytest.mark.parametrize(("late", "lost", "repeated"), [(0, 0, 0), (2, 2, 0), (-1, 0, 1)])
def test_rows_that_a_resumed_stream_leaves_out_or_repeats_are_counted(late: int, lost: int, repeated: int) -> None:
    """Of the rows that the uninterrupted stream has."""
    result = measured(lambda: Rows(late), bytes)

    assert (result["rows"], result["lost"], result["repeated"]) == (10, lost, repeated)


def test_the_cost_of_a_page_is_stated_with_and_without_the_start() -> None:
    """The start of a run weighs more than a few hundred pages do."""
    small, large = [(Outcome(cpu_s, 5), Outcome(cpu_s, 4)) for cpu_s in (2.0, 7.0)]

    all_in, beyond, published = html_to_shard.rows(510, small, large)

    assert (all_in.ours, beyond.ours, published) == ("13.7 ms", "10.0 ms", (published.what, "5", "4"))


def test_rows_become_tokens_a_cpu_second() -> None:
    """A row has 1,024 tokens."""
    ours = {"rows": 2_000, "cpu_s": 2.0, "lost": 0, "repeated": 0}

    speed, stop = packed_sequences.rows(ours, ours | {"cpu_s": 4.0, "lost": 640})

    assert (speed.ours, speed.peer) == ("1,024,000", "512,000")
    assert (stop.ours, stop.peer) == ("0; 0 of 2,000", "640; 0 of 2,000")


class TestReporting:
    """Figures of a tool belong to its version."""

    def test_a_version_is_that_of_the_environment(self) -> None:
        """Each tool has its own."""
        assert versions(Path(sys.executable), ["pyarrow"]) == {"pyarrow": pa.__version__}

    @pytest.mark.parametrize("python", [Path("/nowhere/bin/python"), Path(sys.executable)])
    def test_a_tool_that_is_not_installed_is_reported_with_what_helps(self, python: Path) -> None:
        """Before anything is measured."""
        with pytest.raises(SystemExit, match=r"(?s)error: .*hint: `--help`"):
            versions(python, ["no-such-tool-at-all"])

    def test_a_report_has_versions_and_a_row_for_each_figure(self, capsys: pytest.CaptureFixture[str]) -> None:
        """In Markdown, to be pasted."""
        report([Row("pages lost", "0", "3")], {"tool": "1.0", "engine": "2.0"})

        heading, _, *lines = capsys.readouterr().out.splitlines()
        assert heading.endswith("tool 1.0, engine 2.0")
        assert lines == ["| measured | corpusmill | tool 1.0 |", "|---|---|---|", "| pages lost | 0 | 3 |"]


class TestCrawl:
    """A real crawl of a small site."""

    def test_each_page_can_be_reached(self) -> None:
        """A page that nobody links to would count as lost."""
        answers = site_pages(30)

        reached, queue = {"/"}, ["/"]
        while queue:
            body = str(answers[queue.pop()].body)
            found = {path for path in answers if f'href="{path}"' in body} - reached
            reached |= found
            queue += found
        assert reached == answers.keys()
        assert len(answers) == 30

    def test_ours_gets_each_page_over_two_kills(self) -> None:
        """And the kills happen."""
        answers = site_pages(25)

        crawl = killed_crawl(Tool(our_command, our_pages), answers, 2)

        assert (crawl.kills, crawl.lost) == (2, 0)
        assert crawl.asked_again <= 2

    def test_a_crawl_that_ends_by_itself_is_not_killed_and_its_pages_are_lost(self, tmp_path: Path) -> None:
        """As one whose queue was lost."""
        crawl = killed_crawl(
            Tool(lambda *_: [sys.executable, "-c", ""], lambda _: ["/", "/robots.txt"]), site_pages(9), 2
        )

        assert crawl == (0, 8, 0)

    def test_the_speed_of_a_crawl_that_misses_pages_is_not_measured(self) -> None:
        """Fewer pages cost less."""
        with pytest.raises(SystemExit, match="9 pages are missing"):
            cpu_a_page(Tool(lambda *_: [sys.executable, "-c", ""], lambda _: []), site_pages(9))

    def test_requests_beyond_the_first_of_a_page_are_counted_and_robots_txt_is_not(self) -> None:
        """It is no page."""
        with serve(site_pages(3)) as site:
            site.seen = [(path, 0.0, 0.0) for path in ("/robots.txt", "/robots.txt", "/", "/1", "/")]

            assert asked_again(site, site.answers) == (1, 1)

    def test_a_file_of_scrapys_side_is_a_path(self, tmp_path: Path) -> None:
        """The first page's file has no name before its suffix."""
        (tmp_path / "pages").mkdir()
        for name in (".html", "12.html"):
            (tmp_path / "pages" / name).touch()

        assert sorted(scrapy_pages(tmp_path)) == ["/", "/12"]


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Four pages, two of them without a domain."""
    text = "The harbour reopened on Tuesday after the storm, and the ferries are running again."
    rows = [
        {
            "id": f"page{number}",
            "source": "made",
            "url": None,
            "domain": f"site{number}.example" if number % 2 else None,
            "html": f"<nav><a href=/>Home</a></nav><p>{text}</p>".encode(),
            "gold_text": text,
        }
        for number in range(4)
    ]
    path = tmp_path / "gold.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


class TestMainText:
    """Our extractor, as the other one is called."""

    def test_each_page_has_a_text_and_a_cost(self, gold: Path) -> None:
        """Pages beyond the count are left out."""
        extraction = extracted(Path(sys.executable), OURS, gold, 3)

        assert list(extraction.texts) == ["page0", "page1", "page2"]
        assert extraction.texts["page0"].startswith("The harbour reopened")
        assert 0 < extraction.call_ms < extraction.tree_ms

    def test_a_page_without_a_domain_is_a_domain_of_its_own(self, gold: Path) -> None:
        """So that the bootstrap over domains draws it alone."""
        pages = reviewed_pages(gold, 2)

        assert [page.domain for page in pages.values()] == ["page0", "site1.example"]

    def test_the_better_text_has_the_higher_f1(self) -> None:
        """The difference is on the side of ours."""
        pages = {name: Reviewed("made", name, f"{name} one two three four five") for name in "abc"}
        whole = fits_of(pages, {name: page.gold for name, page in pages.items()})
        none = fits_of(pages, dict.fromkeys(pages, ""))

        unseen, every = quality(whole, none, ["a", "b"])

        assert unseen.ours.startswith("1.000 (+1.000")
        assert (unseen.peer, every.ours, every.peer) == ("0.000", "1.000", "0.000")
        assert quality(whole, none, []) == [every]

    def test_sources_that_the_model_has_not_seen_are_those_that_only_test(self) -> None:
        """The shipped model learned from the pages of every domain, so a domain cannot be held out from it."""
        assert learned_sources() == OPEN_LICENSE


def test_the_stage_alone_writes_what_it_removed(tmp_path: Path) -> None:
    """Which is what the comparison scores."""
    write_documents(tmp_path / "documents.parquet", 200)
    script = str(Path(near_dedup.__file__))

    names, cpu_s = removed(lambda file: [sys.executable, script, str(tmp_path), "--removed", str(file)])

    known = set(pq.read_table(tmp_path / "documents.parquet", columns=["id"])["id"].to_pylist())
    assert names
    assert names < known
    assert cpu_s > 0


@pytest.mark.slow
def test_our_side_of_html_to_shard_publishes_pages(tmp_path: Path) -> None:
    """And the language model that both use is there."""
    archive = tmp_path / "input" / "pages.warc.gz"
    archive.parent.mkdir()
    write_documents(archive, 20)

    cpu_s, published = run(archive, tmp_path / "workspace")

    assert cpu_s > 0
    assert 0 <= published <= 20
    assert language_model().exists()


@pytest.mark.slow
def test_our_side_of_packed_sequences_loses_nothing(tmp_path: Path) -> None:
    """From Parquet, stopped in the middle and resumed."""
    from corpusmill.training.data import train_tokenizer

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_documents(corpus / "documents.parquet", 100)
    train_tokenizer(corpus, vocabulary_size=500, out=tmp_path)

    result = json.loads(cost_of(program("packed_rows", corpus, tmp_path / "tokenizer.json", 64)).output)

    assert result["rows"] > 100
    assert (result["lost"], result["repeated"]) == (0, 0)
