"""Runs on several versions, and on a version in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training import fit, tokenize
from corpusmill.training.checkpoint import newest_checkpoint, read_state
from corpusmill.training.run_data import open_run_data
from tests.training.corpora import tiny_config, write_corpus, write_version

MIXED = [{"version": "a", "weight": 2}, {"version": "b", "weight": 1, "epochs": 3}]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("several")
    return [write_version(folder / "drawn"), write_corpus(folder / "loose", seed=5)]


def test_a_run_on_two_versions_names_both(places: list[Path], tmp_path: Path) -> None:
    """Whoever has the model finds every version that it learned from."""
    result = fit(tiny_config(version=MIXED), version_dir=places, workspace=tmp_path)

    loose = open_run_data(places[1]).version
    assert (result["dataset"], result["version"]) == ("drawn+files", f"0123456789abcdef+{loose}")
    state = read_state(newest_checkpoint(Path(result["path"])) or tmp_path)
    assert [one["version"] for one in state["lineage"]["versions"]] == ["0123456789abcdef", loose]


@pytest.mark.parametrize(
    "fields",
    [
        {"version": MIXED},
        {"mixture": {"by": "source", "temperature": 2}},
        {"data": {"packing": "best_fit"}},
        {"data": {"packing": "best_fit"}, "model": {"name": "bert", "layers": 1, "heads": 2, "width": 16}},
        {"curriculum": {"by": "source", "phases": [{"at": 0, "weights": [3, 1]}, {"at": 0.5, "weights": [0, 1]}]}},
    ],
)
def test_a_run_in_parts_resumes_with_the_same_losses(
    places: list[Path], tmp_path: Path, fields: dict[str, object]
) -> None:
    """Also from kept tokens, and with workers."""
    used = places if "version" in fields else places[:1]
    whole = fit(tiny_config(**fields), version_dir=used, workspace=tmp_path / "whole")
    stopped = tiny_config(max_minutes=1e-9, **fields)
    first = fit(stopped, version_dir=used, workspace=tmp_path / "part")
    for place in used:
        tokenize(place, Path(first["path"]), workspace=tmp_path / "part")

    second = fit(tiny_config(**fields), version_dir=used, workspace=tmp_path / "part", num_workers=2)

    assert first["status"] == "stopped"
    assert first["step"] < 12
    assert second["train_loss"] == whole["train_loss"]
    assert second["validation_loss"] == whole["validation_loss"]


def test_another_mixture_is_another_run(places: list[Path], tmp_path: Path) -> None:
    """Resuming with other weights would give a model that no configuration describes."""
    fit(tiny_config(version=MIXED, max_minutes=1e-9), version_dir=places, workspace=tmp_path)
    other = tiny_config(version=MIXED, mixture={"temperature": 2.0})

    with pytest.raises(UsageError, match=r"was started with `mixture.temperature: 1.0`"):
        fit(other, version_dir=places, workspace=tmp_path)
    with pytest.raises(UsageError, match="was started on version"):
        fit(tiny_config(version=MIXED), version_dir=places[:1], workspace=tmp_path)


def test_an_empty_split_of_one_of_several_versions_is_named(places: list[Path], tmp_path: Path) -> None:
    """Its share of the tokens could not be read."""
    empty = write_version(tmp_path / "empty", train=0)

    with pytest.raises(SourceError, match=f"the split `train` of {empty} is empty"):
        open_run_data([places[0], empty])
