from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.reports.duplicates import duplicates
from corpusmill.pipelines.reports.page import render
from corpusmill.pipelines.reports.report import report
from corpusmill.pipelines.reports.signals import make_axis, position
from corpusmill.pipelines.reports.statistics import read_manifest, statistics
from corpusmill.pipelines.reports.tables import open_tables
from corpusmill.schemas.errors import DamagedFileError, UsageError
from tests.pipelines.reports.corpus import Capture, captures, make_version


def test_sizes_are_those_of_the_shards(figures: dict[str, Any], version: Path) -> None:
    """Figures are counted from the files, like other readers would count them."""
    shards = [
        pq.read_table(path) for split in ("train", "validation", "test") for path in version.glob(f"{split}-*.parquet")
    ]
    texts = pa.concat_tables(shards)["text"].to_pylist()

    sizes = figures["sizes"]

    assert sizes["documents"] == len(texts) == 250
    assert sizes["text_bytes"] == sum(len(text.encode()) for text in texts)
    assert (sizes["read"], sizes["ledger"], sizes["shards"], sizes["sources"]) == (400, 150, 4, 3)
    assert sizes["tokens_estimated"] == sizes["text_bytes"] // 4


def test_every_rule_is_counted(figures: dict[str, Any]) -> None:
    """The sum over all rules must be the size of the ledger."""
    counts = {rule["rule"]: rule["documents"] for rule in figures["rules"]}

    assert counts == {
        "gopher.word_count": 60,
        "near_dedup.duplicate": 30,
        "language.not_kept": 25,
        "gopher.alphabetic_words": 20,
        "exact_dedup.duplicate": 10,
        "error.encoding": 5,
    }
    assert sum(counts.values()) == figures["sizes"]["ledger"]


def test_records_are_conserved(figures: dict[str, Any]) -> None:
    """In the manifest and in the files, read = published + ledger."""
    assert figures["conservation"]["holds"]
    assert figures["conservation"]["rows"] == {"shards": 250, "ledger": 150}


def test_a_lost_shard_row_is_detected(version: Path, tmp_path: Path) -> None:
    """The check counts the rows of the files, not only those of the manifest."""
    copy = shutil.copytree(version, tmp_path / "copy")
    shard = copy / "train-00000-of-00002.parquet"
    table = pq.read_table(shard)
    pq.write_table(table.slice(1), shard)

    assert not statistics(copy)["conservation"]["holds"]


def test_sources_have_counts_of_their_records(figures: dict[str, Any]) -> None:
    """Users judge a source by its published and rejected records."""
    result = {source["source"]: source for source in figures["sources"]}

    assert {name: (s["read"], s["documents"], s["rejected"], s["duplicates"]) for name, s in result.items()} == {
        "site": (235, 150, 85, 0),
        "readmes": (125, 90, 35, 10),
        "licences": (40, 10, 30, 30),
    }
    assert result["site"]["top_rule"] == "gopher.word_count"
    assert sum(source["bytes"] for source in result.values()) == figures["sizes"]["text_bytes"]


def test_licenses_languages_and_domains_are_counted_with_the_unknown(figures: dict[str, Any]) -> None:
    """Unknown values count in shares."""
    licenses = {row["name"]: row["documents"] for row in figures["licenses"]["expressions"]}

    assert licenses == {None: 172, "MIT": 33, "Apache-2.0": 23, "CC-BY-NC-4.0": 22}
    assert figures["licenses"]["unknown"] == 172
    assert {row["name"]: row["documents"] for row in figures["languages"]} == {"en": 245, "fr": 5}
    assert {row["name"]: row["documents"] for row in figures["domains"]} == {"example.org": 150, None: 100}


def test_lengths_fill_a_histogram_without_gaps(figures: dict[str, Any]) -> None:
    """Each document is in one bin, and bins are contiguous."""
    bins = figures["lengths"]["histogram"]

    assert sum(item["documents"] for item in bins) == 250
    assert all(one["to"] == pytest.approx(other["from"]) for one, other in pairwise(bins))
    quantiles = figures["lengths"]["quantiles"]["bytes"]
    assert bins[0]["from"] <= quantiles["min"] <= quantiles["median"] <= quantiles["max"] <= bins[-1]["to"]


def test_examples_are_the_nearest_to_the_threshold(figures: dict[str, Any]) -> None:
    """Examples on both sides show the effect of a threshold."""
    (bound,) = [bound for bound in figures["bounds"] if bound["rule"] == "gopher.word_count"]
    kept = sorted(c.signals["gopher.word_count"] for c in captures() if c.rule is None)

    assert (bound["side"], bound["threshold"], bound["rejected"]) == ("min", 50, 60)
    assert [item["value"] for item in bound["nearest_kept"]] == kept[:2]
    assert all(item["value"] < 50 and item["text"] for item in bound["nearest_rejected"])
    assert bound["nearest_rejected"][0]["value"] >= bound["nearest_rejected"][1]["value"] >= 40
    assert all(len(item["text"]) <= 300 for side in ("kept", "rejected") for item in bound[f"nearest_{side}"])


def test_duplicates_are_counted_and_their_clusters_shown(figures: dict[str, Any]) -> None:
    """A cluster is a kept document with its copies."""
    result = figures["duplicates"]

    assert {rule["rule"]: (rule["documents"], rule["kept"]) for rule in result["rules"]} == {
        "near_dedup.duplicate": (30, 2),
        "exact_dedup.duplicate": (10, 10),
    }
    assert [cluster["size"] for cluster in result["largest"][:3]] == [21, 11, 2]
    assert [(row["to"], row["clusters"]) for row in result["cluster_sizes"]] == [(1, 248), (16, 1), (32, 1)]


def test_similarities_of_copies_are_a_histogram_with_the_pairs_near_the_threshold(figures: dict[str, Any]) -> None:
    """A reader decides by them whether the threshold is right. Pairs with a text come first."""
    (row,) = figures["duplicates"]["similarities"]
    pairs = figures["duplicates"]["pairs"]

    assert (row["stage"], row["threshold"], row["near_threshold"]) == ("near_dedup", 0.8, 4)
    assert [column["from"] for column in row["histogram"]] == [0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94]
    assert [column["documents"] for column in row["histogram"]] == [4, 4, 4, 4, 4, 4, 4, 2]
    assert all(pair["removed"] and pair["kept"] for pair in pairs)
    assert [pair["value"] for pair in pairs] == sorted(pair["value"] for pair in pairs)


def test_a_removed_text_that_is_not_in_the_ledger_is_said_to_be_missing(tmp_path: Path) -> None:
    """The ledger has the texts of a sample of the rejected documents."""
    kept = next(c for c in captures() if c.source == "licences")
    copies = (replace(kept, source_id=f"{n}", rule="near_dedup.duplicate", stage="near_dedup", value=0.9, threshold=0.8,
                      duplicate_of=kept.id) for n in range(20))  # fmt: skip
    unsampled = next(copy for copy in copies if int(copy.id[0], 16) >= 8)

    page = render(report(statistics(make_version(tmp_path / "v", [kept, unsampled]))))

    assert "not in the ledger, which has the texts of a sample" in page


def test_personal_data_is_counted_apart_for_published_documents(figures: dict[str, Any]) -> None:
    """Items in removed copies count as detected, but not as published."""
    (email,) = [kind for kind in figures["personal_data"]["kinds"] if kind["kind"] == "email"]

    assert (email["published_items"], email["published_documents"]) == (30, 15)
    assert email["items"] == 32


def test_nothing_leaks_between_splits(figures: dict[str, Any]) -> None:
    """The version has distinct texts and is split by id."""
    assert figures["leakage"] == {"content_hash": 0, "cluster_id": 0, "id": 0}
    assert [split["documents"] for split in figures["splits"]] == [200, 17, 33]


def test_a_text_in_two_splits_is_found(tmp_path: Path) -> None:
    """Leakage is counted from the shards, independent of the recipe."""
    page = next(c for c in captures() if c.source == "site" and c.rule is None)
    copies = [replace(page, source_id=f"copy-{index}") for index in range(40)]
    assert len({copy.split for copy in copies}) == 3

    result = statistics(make_version(tmp_path / "v", copies))

    assert result["leakage"]["content_hash"] == 1


def test_signals_are_drawn_with_their_thresholds(figures: dict[str, Any]) -> None:
    """Thresholds of a profile are shown even for rules that rejected nothing."""
    result = {item["name"]: item for item in figures["signals"]}

    assert {"side": "min", "threshold": 50.0} in result["gopher.word_count"]["thresholds"]
    assert result["gopher.stop_words"]["thresholds"] == [{"side": "min", "threshold": 2.0}]
    words = result["gopher.word_count"]
    assert sum(words["passed"]) == 290
    assert sum(words["rejected"]) == 80


def test_figures_do_not_depend_on_the_order_of_rows_or_files(version: Path, tmp_path: Path) -> None:
    """The report depends only on the data, not on ties or threads."""
    copy = shutil.copytree(version, tmp_path / "copy")
    for path in copy.glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.take(list(reversed(range(table.num_rows)))), path, row_group_size=7)

    assert statistics(copy) == statistics(version)


def test_a_version_with_nothing_published_has_figures(tmp_path: Path) -> None:
    """A recipe that rejects everything must not crash the report."""
    rejected = [c for c in captures() if c.rule is not None and c.duplicate_of is None]

    result = statistics(make_version(tmp_path / "v", rejected))

    assert result["sizes"]["documents"] == 0
    assert result["conservation"]["holds"]
    assert result["lengths"]["histogram"] == []
    assert all(bound["nearest_kept"] == [] for bound in result["bounds"])


def test_a_version_without_records_has_figures(tmp_path: Path) -> None:
    """Empty sources result in an empty version."""
    assert statistics(make_version(tmp_path / "v", []))["sizes"]["read"] == 0


def test_a_version_without_signals_clusters_and_licenses_has_figures(tmp_path: Path) -> None:
    """Most recipes have fewer stages than the demo."""
    result = statistics(make_version(tmp_path / "v", signals=False, near_dedup=False, licenses=False))

    assert result["leakage"]["cluster_id"] is None
    assert result["licenses"]["unknown"] == result["sizes"]["documents"] == 280
    assert result["personal_data"] == {"stage": None, "kinds": []}
    assert [item["name"] for item in result["signals"]] == ["language_score"]
    assert result["duplicates"]["largest"][0]["size"] == 2


def test_a_bound_without_stored_signal_has_rejected_examples_only(tmp_path: Path) -> None:
    """The ledger only has rejected documents."""
    result = statistics(make_version(tmp_path / "v", signals=False))

    (bound,) = [bound for bound in result["bounds"] if bound["rule"] == "gopher.word_count"]
    assert bound["signal"] is None
    assert bound["nearest_rejected"]
    assert bound["nearest_kept"] == []


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    """Infinite signals and NaN must not distort an axis."""
    odd = [
        Capture("s", str(index), f"text {index}", signals={"gopher.word_count": value})
        for index, value in enumerate([1.0, float("nan"), float("inf"), 2.0])
    ]

    result = statistics(make_version(tmp_path / "v", odd))

    (words,) = [item for item in result["signals"] if item["name"] == "gopher.word_count"]
    assert words["measured"] == 2


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """The folder is not a version."""
    with pytest.raises(UsageError, match=r"manifest\.json"):
        statistics(tmp_path)


def test_a_missing_shard_is_named(version: Path, tmp_path: Path) -> None:
    """The error has the path of the missing file."""
    copy = shutil.copytree(version, tmp_path / "copy")
    (copy / "test-00000-of-00001.parquet").unlink()

    with pytest.raises(DamagedFileError) as caught:
        statistics(copy)

    assert str(caught.value.file).endswith("test-00000-of-00001.parquet")


@pytest.mark.parametrize("name", ["train-00000-of-00002", "signals-00000-of-00001", "ledger-00000-of-00001"])
def test_a_file_that_is_no_parquet_is_an_error_that_names_it(version: Path, tmp_path: Path, name: str) -> None:
    """A damaged file must not be reported as an invalid query."""
    copy = shutil.copytree(version, tmp_path / "copy")
    (copy / f"{name}.parquet").write_bytes(b"not parquet at all")

    with pytest.raises(DamagedFileError) as caught:
        statistics(copy)

    assert name in str(caught.value)


def test_queries_reach_nothing_outside_the_folder(version: Path, tmp_path: Path) -> None:
    """An untrusted version must not make the report read other files."""
    outside = tmp_path / "outside.parquet"
    pq.write_table(pa.table({"id": ["a"]}), outside)

    with open_tables(version, read_manifest(version)) as tables, pytest.raises(Exception, match="Permission"):
        tables.rows(f"SELECT * FROM read_parquet('{outside}')")


def test_an_axis_holds_its_thresholds() -> None:
    """Thresholds are on the axis unless they are so far away that they flatten the rest."""
    quantiles = {"min": 0.1, "p1": 0.2, "p5": 0.2, "median": 0.3, "p95": 0.4, "p99": 0.5, "max": 0.9}

    axis = make_axis(quantiles, [0.6, 5.0])

    assert axis["scale"] == "linear"
    assert axis["from"] == 0.2
    assert 0.6 < axis["to"] < 0.7
    assert 0.9 < position(axis, 0.6) < 1


def test_stages_that_cut_repeated_text_have_their_share(tmp_path: Path) -> None:
    """They remove no documents, so no row of the ledger has their figures. Other stages cut text for other reasons."""
    version = make_version(tmp_path / "v")
    manifest = read_manifest(version)
    cut = [
        manifest.counts.stages[2].model_copy(update={"name": name, "bytes_in": 1_000, "bytes_cut": 50})
        for name in ("normalize", "paragraph_dedup")
    ]
    counts = manifest.counts.model_copy(update={"stages": (*manifest.counts.stages, *cut)})
    recipe = {**manifest.recipe, "stages": [*manifest.recipe["stages"], "normalize", "paragraph_dedup"]}
    changed = manifest.model_copy(update={"counts": counts, "recipe": recipe})

    with open_tables(version, manifest) as tables:
        result = duplicates(changed, tables)

    assert result["cuts"] == [{"stage": "paragraph_dedup", "bytes": 50, "of": 1_000}]
