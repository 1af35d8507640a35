import json
from typing import Any

import pytest

from corpusmill.commands.documents import _trail_as_text
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.crawled_page import CrawledPage
from corpusmill.schemas.crawled_pages import write_tables
from tests.commands.conftest import Answer, Command
from tests.pipelines.dataset.corpora import Doc, docs, publish_version, write_raw

PAGE = Doc(
    "https://example.org/page", "a page with words " * 50, source="site", title="A page", url="https://example.org/page"
)
SHORT = Doc("short.md", "too few words", stage="quality", rule="gopher.word_count", value=3.0, threshold=5.0)
COPY = Doc("copy.md", "a copy of it", stage="near_dedup", rule="near_dedup.duplicate", value=0.9, duplicate_of=PAGE.id)


def lines(answer: Answer) -> list[Any]:
    return [json.loads(line) for line in answer.out.splitlines()]


@pytest.fixture(autouse=True)
def _version(workspace: Workspace) -> None:
    publish_version(workspace, [*docs(range(30)), PAGE, SHORT, COPY])


def test_inspect_gives_all_documents_as_json_lines(command: Command) -> None:
    """Programs get every row unless they set a limit."""
    rows = lines(command("inspect", "my-docs", "--json"))

    assert len(rows) == 31
    assert rows[0]["text"]


def test_inspect_shows_people_the_beginning(command: Command) -> None:
    """Shows ten documents and the beginning of long texts; --text shows them in full."""
    shown = command("inspect", "my-docs")
    page = command("inspect", "my-docs", "--where", "title = 'A page'")
    whole = command("inspect", "my-docs", "--where", "title = 'A page'", "--text")

    assert shown.out.count("source_id: ") == 10
    assert "--limit N" in shown.err
    assert page.out.rstrip().endswith("…")
    assert PAGE.text.strip() in whole.out
    assert "metadata: kind=test" in whole.out


def test_inspect_shows_hashes_only_on_request(command: Command) -> None:
    """They fill lines that people do not read; a column that was named is always shown."""
    hashes = ("record_sha256", "content_hash")

    assert not any(f"{name}: " in command("inspect", "my-docs").out for name in hashes)
    assert all(f"{name}: " in command("inspect", "my-docs", "--text").out for name in hashes)
    assert "content_hash: " in command("inspect", "my-docs", "--columns", "content_hash").out


def test_inspect_begins_a_row_without_names_with_its_columns(command: Command) -> None:
    """Without an id there is no heading, and no empty line in its place."""
    assert command("inspect", "my-docs", "--ledger", "--columns", "rule", "--limit", "1").out.startswith("  rule: ")


def test_inspect_takes_its_options_together(command: Command) -> None:
    """A query usually combines several options."""
    rows = lines(
        command(
            *("inspect", "my-docs", "--json", "--where", "gopher.word_count < 10", "--sample", 3),
            *("--columns", "id, gopher.word_count", "--split", "train"),
        )
    )

    assert len(rows) == 3
    assert all(row.keys() == {"id", "gopher.word_count"} for row in rows)


def test_inspect_looks_at_the_ledger(command: Command) -> None:
    """The ledger is queried with the same options."""
    rows = lines(command("inspect", "my-docs", "--ledger", "--json", "--columns", "rule"))

    assert sorted(row["rule"] for row in rows) == ["gopher.word_count", "near_dedup.duplicate"]
    assert "too few words" in command("inspect", "my-docs", "--ledger").out


def test_no_match_is_reported(command: Command) -> None:
    """An empty output could also mean a failure."""
    answer = command("inspect", "my-docs", "--where", "false")

    assert (answer.code, answer.out, answer.err) == (0, "", "no documents match\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("my-docs", "--where", "titel = 1"),
        ("my-docs", "--columns", "titel"),
        ("my-docs", "--split", "all"),
        ("my-docs", "--sample", "0"),
        ("other",),
    ],
)
def test_an_invalid_query_is_wrong_use(command: Command, arguments: tuple[str, ...]) -> None:
    """Exit code 2 and a hint, on both streams; never a traceback."""
    answer = command("inspect", *arguments, "--json")

    assert answer.code == 2
    assert lines(answer)[0]["status"] == "failed"
    assert "hint: " in answer.err
    assert "Traceback" not in answer.err


def test_explain_gives_the_keys_of_the_contract(command: Command) -> None:
    """CONTRACTS §6 names them."""
    for document in (PAGE, SHORT, COPY):
        result = lines(command("explain", document.id, "--json"))[0]
        assert {"id", "url", "status", "versions", "trail", "duplicate_of", "source"} <= result.keys()
        assert all({"stage", "rule", "value", "threshold", "verdict"} <= step.keys() for step in result["trail"])


def test_explain_shows_people_the_trail(command: Command) -> None:
    """The verdict is shown in full; passed rules are only counted."""
    short = command("explain", "short.md").out
    copy = command("explain", COPY.id[:10]).out
    page = command("explain", "https://example.org/page#top").out

    assert short.startswith("rejected: short.md\n")
    assert "quality          rejected by gopher.word_count (3, allowed 5 to 100000)" in short
    assert "text\n    too few words" in short
    assert f"duplicate of {PAGE.id}  A page" in copy
    assert "removed copies of it\n  " + COPY.id in page
    assert "license: CC-BY-4.0 (from: recipe)" in page
    assert "record: /somewhere/site, byte 7, length " in page


def test_explain_shows_the_rules_of_one_stage_together() -> None:
    """The rule that rejected comes first, then other rules that the document violates; passed rules are counted."""
    steps = [
        {"stage": "quality", "rule": "gopher.a", "verdict": "passed", "value": 1.0, "threshold": 2.0},
        {"stage": "quality", "rule": "gopher.b", "verdict": "failed", "value": 0.5, "threshold": 1.0},
        {"stage": "quality", "rule": "gopher.c", "verdict": "passed", "value": None, "threshold": None},
        {"stage": "quality", "rule": "gopher.d", "verdict": "rejected", "value": 3.0, "threshold": 9.0},
    ]
    assert list(_trail_as_text([{"stage": "read", "rule": None, "verdict": "passed", "value": None}, *steps])) == [
        "read             passed",
        "quality          rejected by gopher.d (3, threshold 9)",
        "                 also violates gopher.b (0.5, threshold 1)",
        "                 passed 2 other rules",
    ]


def test_explain_says_when_it_does_not_know(command: Command, workspace: Workspace) -> None:
    """A script with a wrong id must fail, and people need to learn how to search."""
    url = "https://example.org/nothing"
    answer = command("explain", url, "--json")
    in_dataset = command("explain", url, "--dataset", "my-docs")

    (result,) = lines(answer)
    assert (answer.code, result["status"], result["error"]["code"]) == (2, "unknown", "usage")
    assert result["error"]["message"] == f"no version and no crawl has the document {url}"
    assert answer.err.startswith(f"error: no version and no crawl has the document {url}\n\nhint: ")
    assert "inspect DATASET" in answer.err
    assert (in_dataset.code, in_dataset.out) == (2, "")
    assert "leave out --dataset" in in_dataset.err
    by_id = command("explain", "4f1d2c").err
    assert f"check that --workspace is right, here {workspace.root}" in by_id
    assert "inspect DATASET --where \"source_id LIKE '%…%'\"" in by_id
    assert command("explain", " ").code == 2


def test_explain_says_what_to_do_about_pages_that_only_a_crawl_has(command: Command, workspace: Workspace) -> None:
    """A redirect has a target, a new page waits for a run, and a page that nobody linked has to be listed."""
    site = "https://example.org"
    pages = [
        CrawledPage(f"{site}/new", "page", f"{site}/new", 200),
        CrawledPage(f"{site}/old", "redirect", f"{site}/old", 301, location=f"{site}/new"),
    ]
    folder = workspace.root / "raw/web"
    folder.mkdir(parents=True)
    write_tables(iter(pages), known=folder / "pages.parquet", gone=folder / "gone.parquet")
    write_raw(workspace, "web", [], kind="crawl", pages=("pages.parquet",))

    new, old, unlinked = (command("explain", f"{site}/{name}") for name in ("new", "old", "unlinked"))

    assert (new.code, old.code, unlinked.code) == (0, 0, 2)
    assert new.out.startswith(f"fetched: {site}/new\n")
    assert "run a recipe that reads `web`" in new.err
    assert f"redirected  to {site}/new (301)" in old.out
    assert f"`corpusmill explain {site}/new`" in old.err
    assert "list it in `start_urls` or `urls`" in unlinked.err


def test_the_data_set_is_readable_while_somebody_works_on_it(command: Command, workspace: Workspace) -> None:
    """Readers are never blocked."""
    with workspace.lock("dataset", "my-docs"):
        assert command("inspect", "my-docs").code == 0
        assert command("explain", PAGE.id).code == 0
        assert command("versions").code == 0
        assert command("diff", "my-docs", "my-docs").code == 0
        assert command("tag", "my-docs", "x").code == 5
