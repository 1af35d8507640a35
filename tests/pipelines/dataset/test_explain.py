import gzip
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.dataset.explain import explain
from corpusmill.pipelines.dataset.history import rollback
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.document import RAW_LEDGER
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.identity import document_id
from tests.pipelines.dataset.corpora import Doc, docs, publish_version, write_raw

PAGE = Doc(
    "https://example.org/page",
    "a page with some words on it",
    source="site",
    title="A page",
    url="https://EXAMPLE.org:443/page?utm_source=x",
)
SHORT = Doc("short.md", "too few words", stage="quality", rule="gopher.word_count", value=3.0, threshold=5.0)
COPY = Doc(
    "copy.md", "a page with some words on it!", stage="near_dedup", rule="near_dedup.duplicate", value=0.9,
    threshold=0.8, duplicate_of=PAGE.id,
)  # fmt: skip
FOREIGN = Doc("fr.md", "peu", stage="language", rule="language.not_kept", value=0.9, is_measured=False)
CAPTURES = [*docs(range(20)), PAGE, SHORT, COPY, FOREIGN]


def steps(explanation: dict[str, Any], stage: str) -> list[tuple[Any, ...]]:
    names = ("rule", "value", "threshold", "verdict")
    return [tuple(step[name] for name in names) for step in explanation["trail"] if step["stage"] == stage]


def stages(explanation: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(step["stage"] for step in explanation["trail"]))


def test_a_published_document_has_its_whole_trail(workspace: Workspace) -> None:
    """The explanation has each stage, each rule with value and bound, the copies and the source."""
    version = publish_version(workspace, CAPTURES)

    explanation = explain(PAGE.id, workspace)

    assert (explanation["id"], explanation["status"], explanation["url"], explanation["version"]) == (
        PAGE.id,
        "published",
        PAGE.url,
        version.name,
    )
    assert stages(explanation) == ["read", "extract", "language", "quality", "identity", "exact_dedup", "near_dedup"]
    assert steps(explanation, "language") == [("language.low_score", 0.9, 0.5, "passed")]
    assert steps(explanation, "quality")[0] == ("gopher.word_count", 7.0, None, "passed")
    assert {step["verdict"] for step in explanation["trail"]} == {"passed"}
    assert [row["id"] for row in explanation["duplicates"]] == [COPY.id]
    assert (explanation["source"]["file"], explanation["source"]["offset"]) == ("/somewhere/site", 7)
    assert (explanation["source"]["license"], explanation["source"]["license_source"]) == ("CC-BY-4.0", "recipe")
    assert explanation["versions"] == [
        {
            **{"dataset": "my-docs", "version": version.manifest.version, "status": "published", "rule": None},
            **{"split": explanation["document"]["split"], "current": True},
        }
    ]


def test_a_rejected_document_has_every_rule_in_its_trail(workspace: Workspace) -> None:
    """The ledger has only the first rule; the others are recomputed from the signals."""
    publish_version(workspace, CAPTURES)

    explanation = explain(SHORT.id, workspace)

    assert explanation["status"] == "rejected"
    assert stages(explanation)[-1] == "quality"
    assert steps(explanation, "quality")[0] == ("gopher.word_count", 3.0, 5.0, "rejected")
    assert ("gopher.mean_word_length", pytest.approx(11 / 3), None, "passed") in steps(explanation, "quality")
    assert explanation["sample_text"] == "too few words"


def test_further_rules_that_fail_are_listed(workspace: Workspace) -> None:
    """Loosening the first bound alone would not bring the document back."""
    bad = replace(SHORT, source_id="bad.md", text="a b")
    publish_version(workspace, [*CAPTURES, bad])

    assert steps(explain(bad.id, workspace), "quality")[:2] == [
        ("gopher.word_count", 2.0, 5.0, "rejected"),
        ("gopher.mean_word_length", 1.0, 3.0, "failed"),
    ]


def test_a_copy_names_the_document_that_was_kept(workspace: Workspace) -> None:
    """Users want to inspect the document that was kept."""
    publish_version(workspace, CAPTURES)

    explanation = explain(COPY.id, workspace)

    assert explanation["duplicate_of"] == PAGE.id
    assert explanation["duplicate"]["title"] == "A page"
    assert steps(explanation, "near_dedup") == [("near_dedup.duplicate", 0.9, 0.8, "rejected")]


def test_a_document_that_was_not_measured_has_no_rules(workspace: Workspace) -> None:
    """A document rejected by language has no quality signals."""
    publish_version(workspace, CAPTURES)

    explanation = explain(FOREIGN.id, workspace)

    assert [(step["stage"], step["verdict"]) for step in explanation["trail"]] == [
        ("read", "passed"),
        ("extract", "passed"),
        ("language", "rejected"),
    ]


def test_other_captures_of_a_document_are_listed(workspace: Workspace) -> None:
    """A page that was crawled twice is one document."""
    older = replace(PAGE, text="an older capture", stage="identity", rule="identity.superseded")
    publish_version(workspace, [*CAPTURES, older])

    explanation = explain(PAGE.id, workspace)

    assert explanation["status"] == "published"
    assert [(row["record_sha256"], row["rule"]) for row in explanation["captures"]] == [
        (older.record_sha256, "identity.superseded")
    ]


def test_of_several_rejected_captures_the_furthest_one_decides(workspace: Workspace) -> None:
    """The older capture was only superseded."""
    older = replace(SHORT, text="an older capture", stage="identity", rule="identity.superseded", value=None)
    publish_version(workspace, [*CAPTURES, older])

    explanation = explain(SHORT.id, workspace)

    assert explanation["versions"][0]["rule"] == "gopher.word_count"
    assert [row["rule"] for row in explanation["captures"]] == ["identity.superseded"]


@pytest.mark.parametrize(
    "name",
    [
        PAGE.id,
        PAGE.id[:8],
        "https://example.org/page",
        "HTTPS://example.org/page?utm_campaign=y#part",
        PAGE.url,
    ],
)
def test_a_document_is_found_by_any_of_its_names(workspace: Workspace, name: str) -> None:
    """Users have URLs, ids from a ledger, or beginnings of ids."""
    publish_version(workspace, CAPTURES)

    assert explain(name, workspace)["id"] == PAGE.id


def test_a_file_is_found_by_its_name_and_a_url_in_any_column(workspace: Workspace) -> None:
    """File names and URLs are more familiar than ids."""
    listed = Doc("17", "a record of a data set", title="Record", url="https://example.org/record")
    publish_version(workspace, [*CAPTURES, listed])

    assert explain("short.md", workspace)["id"] == SHORT.id
    assert explain("https://example.org/record", workspace)["id"] == listed.id


def test_several_documents_with_one_address_are_all_named(workspace: Workspace) -> None:
    """The first document is explained, and the others are listed."""
    pair = [Doc(name, f"text {name}", url="https://example.org/same") for name in "ab"]
    publish_version(workspace, [*CAPTURES, *pair])

    explanation = explain("https://example.org/same", workspace)

    assert sorted([explanation["id"], *explanation["others"]]) == sorted(document.id for document in pair)


def test_a_beginning_that_several_ids_share_is_refused(workspace: Workspace) -> None:
    """The trail of another document would be wrong."""
    names_by_beginning: dict[str, str] = {}
    name = 0
    while (start := document_id("docs", str(name))[:6]) not in names_by_beginning:
        names_by_beginning[start] = str(name)
        name += 1
    publish_version(workspace, [Doc(names_by_beginning[start], "one"), Doc(str(name), "other")])

    with pytest.raises(UsageError, match=f"2 documents have an id that begins with {start}"):
        explain(start, workspace)


@pytest.mark.parametrize("name", ["nothing", "0" * 32, "abcdef", "https://example.org/other", "it's", "x" * 9000])
def test_a_document_in_no_version_is_unknown(workspace: Workspace, name: str) -> None:
    """An unknown document is not an error, even in an empty workspace."""
    assert explain(name, workspace)["status"] == "unknown"

    publish_version(workspace, CAPTURES)

    explanation = explain(name, workspace)
    assert explanation["status"] == "unknown"
    assert (explanation["versions"], explanation["trail"], explanation["source"]) == ([], [], {})


def test_the_current_version_decides_and_all_are_listed(workspace: Workspace) -> None:
    """After a rollback, the older version is current."""
    first = publish_version(workspace, CAPTURES, at=datetime(2026, 1, 1, tzinfo=UTC))
    alive = replace(SHORT, stage=None, rule=None)
    second = publish_version(workspace, [*docs(range(20)), PAGE, alive, FOREIGN], at=datetime(2026, 1, 2, tzinfo=UTC))
    third = publish_version(workspace, docs(range(20)), at=datetime(2026, 1, 3, tzinfo=UTC))

    newest = explain(SHORT.id, workspace)
    rollback(workspace, "my-docs", first.manifest.version)
    gone_back = explain(SHORT.id, workspace)

    assert (newest["status"], newest["version"]) == ("published", second.name)
    assert (newest["absent_from"], gone_back["absent_from"]) == (third.name, None)
    assert [row["version"] for row in newest["versions"]] == [v.manifest.version for v in (second, first)]
    assert (gone_back["status"], gone_back["version"]) == ("rejected", first.name)
    assert explain(docs([1])[0].id, workspace)["versions"][1]["version"] == third.manifest.version


def test_the_search_can_be_limited_to_a_data_set(workspace: Workspace) -> None:
    """Several data sets may have the same source."""
    publish_version(workspace, CAPTURES, dataset="one")
    publish_version(workspace, docs(range(3)), dataset="two")

    assert explain(PAGE.id, workspace, dataset="one")["status"] == "published"
    assert explain(PAGE.id, workspace, dataset="two")["status"] == "unknown"
    with pytest.raises(UsageError, match="no data set 'three'"):
        explain(PAGE.id, workspace, dataset="three")


def _archive(path: Path, pages: dict[str, bytes]) -> Path:
    members = []
    for url, body in pages.items():
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + body
        fields = {
            "WARC-Type": "response",
            "WARC-Record-ID": f"<urn:uuid:{uuid.uuid4()}>",
            "WARC-Date": "2026-05-01T12:00:00Z",
            "WARC-Target-URI": url,
            "Content-Type": "application/http; msgtype=response",
            "Content-Length": str(len(block)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        members.append(gzip.compress(f"WARC/1.1\r\n{head}\r\n".encode() + block + b"\r\n\r\n"))
    path.write_bytes(b"".join(members))
    return path


def _refused(workspace: Workspace, urls: dict[str, str]) -> tuple[str, ...]:
    rows = [{"url": url, "source": "site", "stage": "crawl", "rule": rule} for url, rule in urls.items()]
    with workspace.raw("site").creating("ledger-00000.parquet") as path:
        pq.write_table(pa.Table.from_pylist(rows, schema=RAW_LEDGER), path)
    return ("ledger-00000.parquet",)


def test_the_robots_txt_that_allowed_a_page_is_shown(workspace: Workspace, tmp_path: Path) -> None:
    """The archived response is the evidence for the permission."""
    pages = {
        "https://other.org/robots.txt": b"User-agent: *\nAllow: /",
        "http://example.org/robots.txt": b"",
        "https://example.org/robots.txt": b"User-agent: *\nDisallow: /private",
        "https://example.org/page": b"page",
    }
    write_raw(workspace, "site", [_archive(tmp_path / "site.warc.gz", pages)], kind="crawl")
    publish_version(workspace, CAPTURES, kinds={"site": "crawl"})

    robots = explain(PAGE.id, workspace)["source"]["robots"]

    assert robots["respect"] == "all"
    assert (robots["answer"]["status"], robots["answer"]["file"]) == (200, str(tmp_path / "site.warc.gz"))
    record = gzip.decompress((tmp_path / "site.warc.gz").read_bytes()[robots["answer"]["offset"] :])
    assert b"WARC-Target-URI: https://example.org/robots.txt" in record[:600]


@pytest.mark.parametrize("by_id", [False, True])
def test_a_page_that_the_crawl_refused_is_rejected_by_it(workspace: Workspace, *, by_id: bool) -> None:
    """Users will ask why it is missing."""
    url = "https://example.org/private/x"
    write_raw(
        workspace, "site", [], kind="crawl", ledger=_refused(workspace, {url: "robots.disallowed", f"{url}y": "x"})
    )

    explanation = explain(document_id("site", url) if by_id else f"{url}#top", workspace)

    assert (explanation["status"], explanation["url"], explanation["id"]) == ("rejected", url, document_id("site", url))
    assert steps(explanation, "crawl") == [("robots.disallowed", None, None, "rejected")]
    assert explanation["trail"][0]["message"] == "robots.txt disallows the address."  # the rule's, without its own


def test_a_page_that_is_refused_now_keeps_its_explanation(workspace: Workspace) -> None:
    """The published text is from an earlier crawl, before the site disallowed the page."""
    publish_version(workspace, CAPTURES, kinds={"site": "crawl"})
    write_raw(workspace, "site", [], kind="crawl", ledger=_refused(workspace, {PAGE.source_id: "robots.disallowed"}))

    explanation = explain(PAGE.id, workspace)

    assert explanation["status"] == "published"
    assert explanation["refused"]["rule"] == "robots.disallowed"


def test_a_damaged_shard_is_named(workspace: Workspace) -> None:
    """An explanation from incomplete files could be wrong."""
    version = publish_version(workspace, CAPTURES)
    for path in version.files("shard"):
        path.unlink()
        path.write_bytes(b"PAR1 this is no Parquet file PAR1")

    with pytest.raises(DamagedFileError, match=r"-of-0000\d\.parquet"):
        explain(PAGE.id, workspace)
