from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.reports.signals import make_axis, position
from corpusmill.pipelines.reports.statistics import read_manifest, statistics
from corpusmill.pipelines.reports.tables import open_tables
from corpusmill.schemas.errors import DamagedFileError, UsageError
from tests.pipelines.reports.corpus import Capture, captures, make_version


def test_sizes_are_those_of_the_shards(figures: dict[str, Any], version: Path) -> None:
    """Figures are counted from the files, so they equal what another reader counts."""
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
    """The sum over the rules is the ledger: nothing is left out of the table."""
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


def test_the_account_closes(figures: dict[str, Any]) -> None:
    """read = published + ledger, in the manifest and in the files."""
    assert figures["conservation"]["holds"]
    assert figures["conservation"]["rows"] == {"shards": 250, "ledger": 150}


def test_a_lost_shard_row_breaks_the_account(version: Path, tmp_path: Path) -> None:
    """The check looks at the files, not only at what the manifest says about them."""
    copy = shutil.copytree(version, tmp_path / "copy")
    shard = copy / "train-00000-of-00002.parquet"
    table = pq.read_table(shard)
    pq.write_table(table.slice(1), shard)

    assert not statistics(copy)["conservation"]["holds"]


def test_sources_tell_what_became_of_their_records(figures: dict[str, Any]) -> None:
    """A source is judged by what it gives and by what takes the rest."""
    found = {source["source"]: source for source in figures["sources"]}

    assert {name: (s["read"], s["documents"], s["rejected"], s["duplicates"]) for name, s in found.items()} == {
        "site": (235, 150, 85, 0),
        "readmes": (125, 90, 35, 10),
        "licences": (40, 10, 30, 30),
    }
    assert found["site"]["top_rule"] == "gopher.word_count"
    assert sum(source["bytes"] for source in found.values()) == figures["sizes"]["text_bytes"]


def test_licences_languages_and_domains_are_counted_with_the_unknown(figures: dict[str, Any]) -> None:
    """Unknown is a value of its own, never left out of a share."""
    licences = {row["name"]: row["documents"] for row in figures["licenses"]["expressions"]}

    assert licences == {None: 172, "MIT": 33, "Apache-2.0": 23, "CC-BY-NC-4.0": 22}
    assert figures["licenses"]["unknown"] == 172
    assert {row["name"]: row["documents"] for row in figures["languages"]} == {"en": 245, "fr": 5}
    assert {row["name"]: row["documents"] for row in figures["domains"]} == {"example.org": 150, None: 100}


def test_lengths_fill_a_histogram_without_gaps(figures: dict[str, Any]) -> None:
    """Each document falls into one bin, and bins follow each other."""
    bins = figures["lengths"]["histogram"]

    assert sum(item["documents"] for item in bins) == 250
    assert all(one["to"] == pytest.approx(other["from"]) for one, other in pairwise(bins))
    quantiles = figures["lengths"]["quantiles"]["bytes"]
    assert bins[0]["from"] <= quantiles["min"] <= quantiles["median"] <= quantiles["max"] <= bins[-1]["to"]


def test_examples_are_the_nearest_to_the_threshold(figures: dict[str, Any]) -> None:
    """What a threshold does shows at the threshold, on both sides."""
    (bound,) = [bound for bound in figures["bounds"] if bound["rule"] == "gopher.word_count"]
    kept = sorted(c.signals["gopher.word_count"] for c in captures() if c.rule is None)

    assert (bound["side"], bound["threshold"], bound["rejected"]) == ("min", 50, 60)
    assert [item["value"] for item in bound["nearest_kept"]] == kept[:2]
    assert all(item["value"] < 50 and item["text"] for item in bound["nearest_rejected"])
    assert bound["nearest_rejected"][0]["value"] >= bound["nearest_rejected"][1]["value"] >= 40
    assert all(len(item["text"]) <= 300 for side in ("kept", "rejected") for item in bound[f"nearest_{side}"])


def test_duplicates_are_counted_and_their_clusters_shown(figures: dict[str, Any]) -> None:
    """A cluster is a kept document with those it stands for."""
    found = figures["duplicates"]

    assert {rule["rule"]: (rule["documents"], rule["kept"]) for rule in found["rules"]} == {
        "near_dedup.duplicate": (30, 2),
        "exact_dedup.duplicate": (10, 10),
    }
    assert [cluster["size"] for cluster in found["largest"][:3]] == [21, 11, 2]
    assert [(row["to"], row["clusters"]) for row in found["cluster_sizes"]] == [(1, 248), (16, 1), (32, 1)]
    assert [pair["value"] for pair in found["pairs"]] == sorted(pair["value"] for pair in found["pairs"])


def test_personal_data_is_counted_apart_for_published_documents(figures: dict[str, Any]) -> None:
    """A copy that was removed still counts as found, but not as published."""
    (email,) = [kind for kind in figures["personal_data"]["kinds"] if kind["kind"] == "email"]

    assert (email["published_items"], email["published_documents"]) == (30, 15)
    assert email["items"] == 32


def test_nothing_leaks_between_splits(figures: dict[str, Any]) -> None:
    """The builder splits by id, and texts differ."""
    assert figures["leakage"] == {"content_hash": 0, "cluster_id": 0, "id": 0}
    assert [split["documents"] for split in figures["splits"]] == [200, 17, 33]


def test_a_text_in_two_splits_is_found(tmp_path: Path) -> None:
    """Leakage is counted from the shards, whatever the recipe promised."""
    page = next(c for c in captures() if c.source == "site" and c.rule is None)
    copies = [replace(page, source_id=f"copy-{index}") for index in range(40)]
    assert len({copy.split for copy in copies}) == 3

    found = statistics(make_version(tmp_path / "v", copies))

    assert found["leakage"]["content_hash"] == 1


def test_signals_are_drawn_with_their_thresholds(figures: dict[str, Any]) -> None:
    """The threshold that a profile sets is told even for rules that rejected nothing."""
    found = {item["name"]: item for item in figures["signals"]}

    assert {"side": "min", "threshold": 50.0} in found["gopher.word_count"]["thresholds"]
    assert found["gopher.stop_words"]["thresholds"] == [{"side": "min", "threshold": 2.0}]
    words = found["gopher.word_count"]
    assert sum(words["passed"]) == 290
    assert sum(words["rejected"]) == 80


def test_figures_do_not_depend_on_the_order_of_rows_or_files(version: Path, tmp_path: Path) -> None:
    """The report of a version is a function of its data: ties and threads decide nothing."""
    copy = shutil.copytree(version, tmp_path / "copy")
    for path in copy.glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.take(list(reversed(range(table.num_rows)))), path, row_group_size=7)

    assert statistics(copy) == statistics(version)


def test_a_version_with_nothing_published_has_figures(tmp_path: Path) -> None:
    """A recipe that rejects all is a finding, not a crash."""
    rejected = [c for c in captures() if c.rule is not None and c.duplicate_of is None]

    found = statistics(make_version(tmp_path / "v", rejected))

    assert found["sizes"]["documents"] == 0
    assert found["conservation"]["holds"]
    assert found["lengths"]["histogram"] == []
    assert all(bound["nearest_kept"] == [] for bound in found["bounds"])


def test_a_version_without_records_has_figures(tmp_path: Path) -> None:
    """Empty sources give an empty version."""
    assert statistics(make_version(tmp_path / "v", []))["sizes"]["read"] == 0


def test_a_version_without_signals_clusters_and_licences_has_figures(tmp_path: Path) -> None:
    """Most recipes have fewer stages than the demo's."""
    found = statistics(make_version(tmp_path / "v", signals=False, near_dedup=False, licences=False))

    assert found["leakage"]["cluster_id"] is None
    assert found["licenses"]["unknown"] == found["sizes"]["documents"] == 280
    assert found["personal_data"] == {"stage": None, "kinds": []}
    assert [item["name"] for item in found["signals"]] == ["language_score"]
    assert found["duplicates"]["largest"][0]["size"] == 2


def test_a_bound_without_stored_signal_has_rejected_examples_only(tmp_path: Path) -> None:
    """The ledger alone tells one side."""
    found = statistics(make_version(tmp_path / "v", signals=False))

    (bound,) = [bound for bound in found["bounds"] if bound["rule"] == "gopher.word_count"]
    assert bound["signal"] is None
    assert bound["nearest_rejected"]
    assert bound["nearest_kept"] == []


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    """A signal that divides by nothing must not spoil an axis."""
    odd = [
        Capture("s", str(index), f"text {index}", signals={"gopher.word_count": value})
        for index, value in enumerate([1.0, float("nan"), float("inf"), 2.0])
    ]

    found = statistics(make_version(tmp_path / "v", odd))

    (words,) = [item for item in found["signals"] if item["name"] == "gopher.word_count"]
    assert words["measured"] == 2


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """Another folder was meant."""
    with pytest.raises(UsageError, match=r"manifest\.json"):
        statistics(tmp_path)


def test_a_missing_shard_is_named(version: Path, tmp_path: Path) -> None:
    """The file to look for is in the message's place."""
    copy = shutil.copytree(version, tmp_path / "copy")
    (copy / "test-00000-of-00001.parquet").unlink()

    with pytest.raises(DamagedFileError) as caught:
        statistics(copy)

    assert str(caught.value.file).endswith("test-00000-of-00001.parquet")


@pytest.mark.parametrize("name", ["train-00000-of-00002", "signals-00000-of-00001", "ledger-00000-of-00001"])
def test_a_file_that_is_no_parquet_is_an_error_that_names_it(version: Path, tmp_path: Path, name: str) -> None:
    """A damaged file is told as such, not as an error of the query."""
    copy = shutil.copytree(version, tmp_path / "copy")
    (copy / f"{name}.parquet").write_bytes(b"not parquet at all")

    with pytest.raises(DamagedFileError) as caught:
        statistics(copy)

    assert name in str(caught.value)


def test_queries_reach_nothing_outside_the_folder(version: Path, tmp_path: Path) -> None:
    """A folder from elsewhere cannot make the report read other files."""
    outside = tmp_path / "outside.parquet"
    pq.write_table(pa.table({"id": ["a"]}), outside)

    with open_tables(version, read_manifest(version)) as tables, pytest.raises(Exception, match="Permission"):
        tables.rows(f"SELECT * FROM read_parquet('{outside}')")


def test_an_axis_holds_its_thresholds() -> None:
    """A threshold that is not drawn explains nothing; one that is far away would flatten the rest."""
    quantiles = {"min": 0.1, "p1": 0.2, "p5": 0.2, "median": 0.3, "p95": 0.4, "p99": 0.5, "max": 0.9}

    axis = make_axis(quantiles, [0.6, 5.0])

    assert axis["scale"] == "linear"
    assert axis["from"] == 0.2
    assert 0.6 < axis["to"] < 0.7
    assert 0.9 < position(axis, 0.6) < 1
