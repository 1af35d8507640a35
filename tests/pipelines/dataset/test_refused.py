"""Refused pages are counted by rule, with examples, in all views of a version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.command import main
from corpusmill.pipelines.dataset.refused import EXAMPLES, refused_pages
from corpusmill.pipelines.dataset.version import open_version
from corpusmill.pipelines.reports.statistics import statistics
from corpusmill.pipelines.stages.pii.mask import mask_column
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.document import RAW_LEDGER
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import open_store
from tests.crawlers.sites import CONTACT, Answer, Site, page, serve

TEXT = "The harbor was quiet in the morning, and the boats had been out since four o'clock with their nets. "


@pytest.fixture(autouse=True)
def _no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets handlers of signals, which would outlive the test."""
    monkeypatch.setattr("signal.signal", lambda *_: None)


def site_pages(**more: Answer) -> dict[str, Answer]:
    """Return a site that disallows a folder, and has a missing page and two readable ones."""
    robots = Answer("User-agent: *\nDisallow: /private/\n", headers={"Content-Type": "text/plain"})
    links = ["/a", "/gone?by=jane@example.org", *(f"/private/{n}" for n in range(12))]
    pages = {"/robots.txt": robots, "/": page(*links, text=TEXT * 5), "/a": page(text=TEXT * 9 + "Rain came.")}
    return pages | more


def recipe_for(folder: Path, *sites: Site) -> Path:
    crawls = [
        f'  - crawl: {{name: site{n}, start_urls: ["{site.url}/"], contact: "{CONTACT}", delay: 0, '
        "allow_private: true}"
        for n, site in enumerate(sites, 1)
    ]
    path = folder / "recipe.yaml"
    path.write_text("\n".join(["dataset: d", "sources:", *crawls, "stages: [extract, pii]"]))
    return path


def rules_of(crawl: dict[str, Any]) -> dict[str, int]:
    return {rule["rule"]: rule["pages"] for rule in crawl["rules"]}


def outcome(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


@pytest.mark.parametrize("on_store", [False, True])
def test_run_report_and_manifest_agree_on_what_crawls_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], on_store: bool
) -> None:
    """Each source has its own counts, which a later crawl replaces."""
    place = ["--workspace", tmp_path / "w", *(["--store", tmp_path / "s"] if on_store else [])]
    with serve(site_pages()) as one, serve({"/": page("/x", text=TEXT * 6)}) as other:
        recipe = recipe_for(tmp_path, one, other)
        code, out, _ = outcome(capsys, "run", *place, "--json", recipe, "--workers", "0")
        first = json.loads(out)
        assert (code, first["status"]) == (0, "published")
        assert [(crawl["source"], crawl["pages"]) for crawl in first["refused"]] == [("site1", 13), ("site2", 1)]
        assert rules_of(first["refused"][0]) == {"robots.disallowed": 12, "http.404": 1}
        disallowed, gone = first["refused"][0]["rules"]
        assert len(disallowed["examples"]) == EXAMPLES
        assert [example["url"].endswith("<EMAIL>") for example in gone["examples"]] == [True]
        assert gone["examples"][0]["referrer"] == f"{one.url}/"

        _, out, _ = outcome(capsys, "report", *place, "--json", "d")
        assert json.loads(out)["refused"] == first["refused"]
        _, out, _ = outcome(capsys, "report", *place, "d")
        assert "13 URLs of `site1` were not fetched:" in out
        assert "robots.disallowed    12  http://127.0.0.1" in out
        _, _, err = outcome(capsys, "inspect", *place, "d", "--ledger")
        assert "13 more URLs of `site1` were not fetched: " in err

        one.answers["/private/1"] = one.answers["/a"]
        one.answers["/robots.txt"] = Answer("", status=404)
        assert outcome(capsys, "crawl", *place, recipe, "--source", "site1")[0] == 0
        _, out, _ = outcome(capsys, "run", *place, "--json", recipe, "--workers", "0")

    again = json.loads(out)
    assert rules_of(again["refused"][0]) == {"http.404": 12}
    assert rules_of(again["refused"][1]) == {"http.404": 1}
    if not on_store:
        version = open_version("d", Workspace(tmp_path / "w"))
        assert statistics(version.store)["refused"] == again["refused"]
        html = version.store.read_text("report.html")
        assert "URLs that were not fetched" in html
        assert "12 URLs of site1 were not fetched: " in html.replace("</code>", "").replace("<code>", "")


def test_a_run_shows_what_was_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The text output has them, too, also if a run fetches nothing new."""
    with serve(site_pages()) as site:
        recipe = recipe_for(tmp_path, site)
        for status in ("published", "unchanged"):
            _, out, _ = outcome(capsys, "run", "--workspace", tmp_path / "w", recipe, "--workers", "0")

            assert out.startswith(status)
            assert "13 URLs of `site1` were not fetched:\n  rule               URLs  for example\n" in out


def a_ledger(folder: Path, rules: dict[str, int], *, row_group_size: int = 7) -> RawManifest:
    rows = [
        {"url": f"https://example.org/{n:03}", "source": "site", "stage": "crawl", "rule": rule, "message": "a" * 999}
        for rule, count in rules.items()
        for n in range(count)
    ]
    table = pa.Table.from_pylist(sorted(rows, key=lambda row: (row["url"], row["rule"])), schema=RAW_LEDGER)
    pq.write_table(table, folder / "ledger-00000.parquet", row_group_size=row_group_size)
    return RawManifest(
        **{"source": "site", "kind": "crawl", "format": "warc", "finished": True, "definition": {}, "files": ()},
        created_at="2026-01-01T00:00:00Z",
        ledger=("ledger-00000.parquet",),
    )


def test_examples_are_spread_evenly_over_a_ledger(tmp_path: Path) -> None:
    """The first five would be from one folder. Long messages are shortened."""
    manifest = a_ledger(tmp_path, {"http.404": 100, "robots.disallowed": 3, "http.500": 100})

    refused = refused_pages(open_store(tmp_path), manifest, mask=mask_column)

    assert [(rule.rule, rule.pages) for rule in refused] == [
        *(("http.404", 100), ("http.500", 100), ("robots.disallowed", 3)),
    ]
    numbers = [[int(page.url[-3:]) for page in rule.examples] for rule in refused]
    assert numbers == [[0, 20, 40, 60, 80], [0, 20, 40, 60, 80], [0, 1, 2]]
    assert {len(page.message or "") for rule in refused for page in rule.examples} == {300}


def test_a_ledger_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Refused pages must not be lost silently."""
    manifest = a_ledger(tmp_path, {"http.404": 1})
    (tmp_path / "ledger-00000.parquet").write_bytes(b"nonsense")

    with pytest.raises(DamagedFileError, match="ledger"):
        refused_pages(open_store(tmp_path), manifest, mask=mask_column)
