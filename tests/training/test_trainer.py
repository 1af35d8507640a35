"""Training: it reduces the loss, can be killed at any time, and records its origin."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from corpusmill.schemas.errors import DamagedFileError, SourceError, UnfinishedError, UsageError, WorkError
from corpusmill.training import evaluate, fit, generate, train_tokenizer
from corpusmill.training.checkpoint import newest_checkpoint
from corpusmill.training.config import TrainConfig, load_config
from corpusmill.training.metrics import read_metrics
from corpusmill.training.trainer import Progress
from tests.training.corpora import tiny_config, write_corpus, write_shard, write_version

REPOSITORY = Path(__file__).parents[2]
REPEATABLE = (
    "step",
    "loss",
    "learning_rate",
    "gradient_norm",
    "validation_loss",
    "bits_per_byte",
    "masked_accuracy",
    "tokens",
)


def lines(run: Path) -> list[dict[str, Any]]:
    """Return the lines of the metrics without times."""
    return [{name: line[name] for name in REPEATABLE if name in line} for line in read_metrics(run / "metrics.jsonl")]


def weights(run: Path) -> bytes:
    checkpoint = newest_checkpoint(run)
    assert checkpoint is not None
    return (checkpoint / "model.safetensors").read_bytes() + (checkpoint / "optimizer.safetensors").read_bytes()


class StopError(Exception):
    """Simulates whatever ends a run early."""


def stop_after(step: int) -> Any:
    def progress(now: Progress) -> None:
        if now.step == step:
            raise StopError

    return progress


def test_a_run_learns_and_tells_what_it_did(version_dir: Path, tmp_path: Path) -> None:
    """The result has the keys that the command promises, and the loss went down."""
    result = fit(tiny_config(steps=40), version_dir=version_dir, workspace=tmp_path)

    run = tmp_path / "models" / "tiny"
    metrics = lines(run)
    assert result["status"] == "trained"
    assert (result["run"], result["path"], result["step"], result["tokens"]) == ("tiny", str(run), 40, 40 * 4 * 16)
    assert result["train_loss"] == metrics[-1]["loss"] < metrics[0]["loss"] - 1
    assert result["validation_loss"] == metrics[-1]["validation_loss"]
    assert 0 < result["bits_per_byte"] < 8
    assert result["tokens_per_s"] > 0
    assert result["warnings"] == []
    assert [line["step"] for line in metrics] == list(range(1, 41))
    assert [line["step"] for line in metrics if "bits_per_byte" in line] == list(range(5, 41, 5))


@pytest.mark.parametrize("stops", [[1], [4], [5, 6], [8, 9, 11]])
def test_a_run_that_was_stopped_goes_on_to_the_same_losses(
    trained: Path, version_dir: Path, tmp_path: Path, stops: list[int]
) -> None:
    """Bit by bit: losses, gradient norms, validation, weights, moments of the optimizer."""
    for stop in stops:
        with pytest.raises(StopError):
            fit(tiny_config(), version_dir=version_dir, workspace=tmp_path, progress=stop_after(stop))

    fit(tiny_config(), version_dir=version_dir, workspace=tmp_path)

    run = tmp_path / "models" / "tiny"
    assert lines(run) == lines(trained)
    assert weights(run) == weights(trained)


def test_a_killed_run_goes_on_to_the_same_losses(version_dir: Path, tmp_path: Path) -> None:
    """A real SIGKILL at an arbitrary moment, within a step or a checkpoint."""
    config = tiny_config(run="killed", steps=80, checkpoint_every=7, validate_every=40, threads=2)
    fit(config.model_copy(update={"run": "whole"}), version_dir=version_dir, workspace=tmp_path)
    run = tmp_path / "models" / "killed"

    child = start_training(config, version_dir, tmp_path)
    assert wait_for_step(run, random.randint(5, 65), child)
    time.sleep(random.random() * 0.02)
    assert kill(child), "the run was over before it could be killed"
    result = fit(config, version_dir=version_dir, workspace=tmp_path)

    assert result["step"] == 80
    assert lines(run) == lines(tmp_path / "models" / "whole")
    assert weights(run) == weights(tmp_path / "models" / "whole")
    assert not list((run / "checkpoints").glob(".draft*"))


def start_training(config: TrainConfig, version_dir: Path, workspace: Path) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from training import fit, TrainConfig\n"
        "fit(TrainConfig.model_validate_json(sys.argv[1]), version_dir=sys.argv[2], workspace=sys.argv[3])"
    )
    arguments = [sys.executable, "-c", code, config.model_dump_json(), str(version_dir), str(workspace)]
    return subprocess.Popen(arguments, cwd=REPOSITORY)


def wait_for_step(run: Path, step: int, child: subprocess.Popen[bytes]) -> bool:
    while child.poll() is None:
        if len(read_metrics(run / "metrics.jsonl")) >= step:
            return True
        time.sleep(0.005)
    return False


def kill(child: subprocess.Popen[bytes]) -> bool:
    os.kill(child.pid, signal.SIGKILL)
    return child.wait() == -signal.SIGKILL


def test_a_second_run_changes_nothing(trained: Path, version_dir: Path) -> None:
    """A finished run must stay unchanged, byte by byte."""
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file() and path.name != ".lock"}

    result = fit(tiny_config(), version_dir=version_dir, workspace=trained.parent.parent)

    assert result["status"] == "unchanged"
    assert result["step"] == 12
    assert result["train_loss"] == lines(trained)[-1]["loss"]
    assert {path: path.read_bytes() for path in before} == before


def test_a_fresh_run_begins_again(version_dir: Path, tmp_path: Path) -> None:
    """`--fresh` deletes the run, which may then have another configuration."""
    fit(tiny_config(), version_dir=version_dir, workspace=tmp_path)

    result = fit(tiny_config(seed=9), version_dir=version_dir, workspace=tmp_path, resume=False)

    assert (result["status"], result["step"]) == ("trained", 12)
    assert [line["step"] for line in lines(tmp_path / "models" / "tiny")] == list(range(1, 13))


def test_a_time_bound_saves_and_the_next_call_goes_on(trained: Path, version_dir: Path, tmp_path: Path) -> None:
    """Stopping after `max_minutes` must lose no step and change no loss."""
    short = tiny_config(max_minutes=1e-9)
    statuses = [fit(short, version_dir=version_dir, workspace=tmp_path)["status"] for _ in range(3)]

    fit(tiny_config(), version_dir=version_dir, workspace=tmp_path)

    run = tmp_path / "models" / "tiny"
    assert statuses == ["stopped"] * 3
    assert [line["loss"] for line in lines(run)] == [line["loss"] for line in lines(trained)]
    assert weights(run) == weights(trained)


def test_workers_and_accumulation_give_the_same_steps(trained: Path, version_dir: Path, tmp_path: Path) -> None:
    """Workers change nothing; a batch in parts has the same gradient up to rounding."""
    fit(tiny_config(run="workers"), version_dir=version_dir, workspace=tmp_path, num_workers=2)
    parts = tiny_config(run="parts", batch={"sequences": 4, "accumulation": 2})
    fit(parts, version_dir=version_dir, workspace=tmp_path)

    assert lines(tmp_path / "models" / "workers") == lines(trained)
    losses = [line["loss"] for line in lines(tmp_path / "models" / "parts")]
    assert losses == pytest.approx([line["loss"] for line in lines(trained)], rel=1e-3)


def test_torch_is_left_as_it_was(trained: Path, version_dir: Path, tmp_path: Path) -> None:
    """`fit` is called from other programs."""
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.random.get_rng_state().tolist(),
    )

    fit(tiny_config(threads=2, steps=3), version_dir=version_dir, workspace=tmp_path)

    after = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.random.get_rng_state().tolist()
    assert after == before


def test_bfloat16_learns_too(version_dir: Path, tmp_path: Path) -> None:
    """Mixed precision on a CPU is slow, but must work on request."""
    fit(tiny_config(steps=40, precision="bfloat16"), version_dir=version_dir, workspace=tmp_path)

    losses = [line["loss"] for line in lines(tmp_path / "models" / "tiny")]
    assert losses[-1] < losses[0] - 1


def test_the_checkpoint_names_version_and_report(trained: Path) -> None:
    """A model must lead back to its data, also after the workspace was moved."""
    checkpoint = newest_checkpoint(trained)
    assert checkpoint is not None

    lineage = json.loads((checkpoint / "state.json").read_text())["lineage"]

    assert (lineage["dataset"], lineage["version"]) == ("drawn", "0123456789abcdef")
    assert (trained / lineage["report"]).resolve().name == "report.html"
    assert "0123456789abcdef" in (trained / "README.md").read_text()
    assert "measured on the whole split `validation` (" in (trained / "README.md").read_text()
    assert load_config(trained / "config.yaml") == tiny_config()


def test_the_model_card_says_if_only_the_beginning_of_the_split_was_measured(version_dir: Path, tmp_path: Path) -> None:
    """`evaluate` measures the whole split, and two figures for one thing need an explanation."""
    fit(tiny_config(steps=3, validation_bytes=1), version_dir=version_dir, workspace=tmp_path)

    card = (tmp_path / "models" / "tiny" / "README.md").read_text()

    assert "measured on the beginning of the split `validation` (1 document" in card


def test_nothing_in_a_checkpoint_is_a_pickle(trained: Path) -> None:
    """Loading an untrusted model must not execute code."""
    checkpoint = newest_checkpoint(trained)
    assert checkpoint is not None

    names = sorted(path.name for path in checkpoint.iterdir())

    assert names == ["model.safetensors", "optimizer.safetensors", "state.json"]
    for name in names[:2]:
        content = (checkpoint / name).read_bytes()
        assert json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])


def test_the_newest_checkpoints_are_kept(version_dir: Path, tmp_path: Path) -> None:
    """Disk usage must be bounded, however long the run is."""
    fit(tiny_config(keep_checkpoints=2, checkpoint_every=2), version_dir=version_dir, workspace=tmp_path)

    kept = sorted(path.name for path in (tmp_path / "models" / "tiny" / "checkpoints").iterdir())

    assert kept == ["step-00000010", "step-00000012"]


def test_the_page_has_curves_and_no_script(trained: Path) -> None:
    """One file that opens anywhere, with training and validation in one picture."""
    page = (trained / "index.html").read_text()

    picture = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])

    curves = [element.get("points", "").split() for element in picture.iter("polyline")]
    assert [len(points) for points in curves] == [12, 3]
    assert "<script" not in page
    assert "http" not in page


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 4}, "seed"),
        ({"optimizer": {"learning_rate": 0.02}}, "optimizer.learning_rate"),
        ({"tokenizer": {"vocabulary_size": 290}}, "tokenizer.vocabulary_size"),
    ],
)
def test_another_configuration_does_not_go_on_with_the_run(
    trained: Path, version_dir: Path, change: dict[str, object], named: str
) -> None:
    """A mixture of two experiments is not a result."""
    with pytest.raises(UsageError, match=named) as caught:
        fit(tiny_config(**change), version_dir=version_dir, workspace=trained.parent.parent)

    assert "--fresh" in (caught.value.hint or "")


def test_another_version_does_not_go_on_with_the_run(trained: Path, tmp_path: Path) -> None:
    """The checkpoint names one version, which must hold for all of its steps."""
    with pytest.raises(UsageError, match="started on version 0123456789abcdef"):
        fit(tiny_config(), version_dir=write_corpus(tmp_path / "other"), workspace=trained.parent.parent)


def test_two_processes_do_not_train_one_run(version_dir: Path, tmp_path: Path) -> None:
    """They would overwrite each other's checkpoints. The second gets an error that names the holder."""
    attempts: list[UnfinishedError] = []

    def second(now: Progress) -> None:
        with pytest.raises(UnfinishedError) as caught:
            fit(tiny_config(), version_dir=version_dir, workspace=tmp_path)
        attempts.append(caught.value)

    fit(tiny_config(steps=3), version_dir=version_dir, workspace=tmp_path, progress=second)

    assert len(attempts) == 3
    assert str(os.getpid()) in attempts[0].message


def test_a_given_tokenizer_is_used_and_kept(version_dir: Path, tmp_path: Path, tokenizer_dir: Path) -> None:
    """A model without its tokenizer is noise: the run's folder holds a copy."""
    config = tiny_config(tokenizer={"path": str(tokenizer_dir / "tokenizer.json")})

    fit(config, version_dir=version_dir, workspace=tmp_path)

    kept = (tmp_path / "models" / "tiny" / "tokenizer.json").read_bytes()
    assert kept == (tokenizer_dir / "tokenizer.json").read_bytes()


def test_an_empty_validation_split_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The run is valid, but users must know that it was not validated."""
    corpus = write_corpus(tmp_path / "corpus", validation=0)

    result = fit(tiny_config(), version_dir=corpus, workspace=tmp_path)

    assert result["validation_loss"] is None
    assert "`validation` is empty" in result["warnings"][0]
    assert "`validation` is empty" in caplog.text


def test_an_empty_train_split_is_an_error(tmp_path: Path) -> None:
    """The hint points to the recipe."""
    write_shard(tmp_path / "corpus" / "validation-0.parquet", ["a"])

    with pytest.raises(SourceError, match="`train`"):
        fit(tiny_config(), version_dir=tmp_path / "corpus", workspace=tmp_path)


def test_a_damaged_shard_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    """The hash in the manifest is checked before the first step."""
    write_version(tmp_path / "version")
    path = tmp_path / "version" / "validation-00000-of-00001.parquet"
    content = bytearray(path.read_bytes())
    content[9] ^= 1
    path.write_bytes(content)

    with pytest.raises(DamagedFileError, match=path.name):
        fit(tiny_config(), version_dir=tmp_path / "version", workspace=tmp_path)


def test_a_damaged_checkpoint_is_named_and_the_one_before_helps(version_dir: Path, tmp_path: Path) -> None:
    """Following the hint leads to the same losses."""
    fit(tiny_config(steps=11), version_dir=version_dir, workspace=tmp_path)
    run = tmp_path / "models" / "tiny"
    newest = newest_checkpoint(run)
    assert newest is not None
    before = lines(run)
    (newest / "model.safetensors").write_bytes(b"\x08" + bytes(20))

    with pytest.raises(DamagedFileError, match=r"model\.safetensors"):
        evaluate(run, version_dir)
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    fit(tiny_config(steps=11), version_dir=version_dir, workspace=tmp_path)

    assert lines(run) == before


def test_a_loss_that_is_no_number_stops_the_run(version_dir: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The run must stop before the weights are saved, with a hint at the cause."""
    from corpusmill.training.trainer import _Run

    monkeypatch.setattr(_Run, "_loss", lambda self, *_, **__: sum(p.sum() for p in self.model.parameters()) * torch.nan)

    with pytest.raises(WorkError, match="the loss is nan") as caught:
        fit(tiny_config(), version_dir=version_dir, workspace=tmp_path)

    assert "learning_rate" in (caught.value.hint or "")


def test_the_tokenizer_of_a_killed_run_is_made_once(version_dir: Path, tmp_path: Path) -> None:
    """Training a tokenizer on a large corpus is slow, and a half-written one must not be used."""
    run = tmp_path / "models" / "tiny"
    train_tokenizer(version_dir, vocabulary_size=300, out=run)
    whole = (run / "tokenizer.json").read_bytes()
    (run / "tokenizer.json").write_bytes(whole[:100])

    fit(tiny_config(steps=3), version_dir=version_dir, workspace=tmp_path)

    assert (run / "tokenizer.json").read_bytes() == whole


SMALL: dict[str, dict[str, object]] = {
    "llama": {"name": "llama", "heads": 2, "kv_heads": 1, "separate_documents": True},
    "gpt": {"name": "gpt", "heads": 2},
    "rnn": {"name": "rnn", "embedding_width": 8},
    "lstm": {"name": "lstm", "separate_documents": True},
    "gru": {"name": "gru"},
    "bert": {"name": "bert", "heads": 2},
}


@pytest.mark.parametrize("name", SMALL)
def test_any_model_learns_and_goes_on_to_the_same_losses(name: str, version_dir: Path, tmp_path: Path) -> None:
    """With dropout, masks and documents: none of them may depend on the steps that a process made before."""
    size = SMALL[name] | {"layers": 2, "width": 16, "sequence_length": 16, "dropout": 0.1}
    config = tiny_config(model=size, steps=30, checkpoint_every=4, optimizer={"learning_rate": 0.02})
    fit(config, version_dir=version_dir, workspace=tmp_path / "whole")
    with pytest.raises(StopError):
        fit(config, version_dir=version_dir, workspace=tmp_path, progress=stop_after(11))

    result = fit(config, version_dir=version_dir, workspace=tmp_path)

    run = tmp_path / "models" / "tiny"
    assert lines(run) == lines(tmp_path / "whole" / "models" / "tiny")
    assert weights(run) == weights(tmp_path / "whole" / "models" / "tiny")
    losses = [line["loss"] for line in lines(run)]
    assert sum(losses[-5:]) < sum(losses[:5]) - 1
    checkpoint = newest_checkpoint(run)
    assert checkpoint is not None
    assert json.loads((checkpoint / "state.json").read_text())["model"]["name"] == name
    assert f"(`{name}`)" in (run / "README.md").read_text()
    score = evaluate(run, version_dir)
    assert score["loss"] == pytest.approx(result["validation_loss"])
    if name == "bert":
        assert result["bits_per_byte"] is None
        assert 0 < result["masked_accuracy"] < 1
        assert score["masked_accuracy"] == result["masked_accuracy"]
        assert "predicted on the whole split" in (run / "README.md").read_text()
        assert "A sample" not in (run / "README.md").read_text()
        with pytest.raises(UsageError, match="cannot continue a text"):
            generate(run)
    else:
        assert result["bits_per_byte"] == pytest.approx(score["bits_per_byte"])
        assert generate(run, "the", max_tokens=40, seed=1) == generate(run, "the", max_tokens=40, seed=1)


def test_dropout_is_used_in_training(trained: Path, version_dir: Path, tmp_path: Path) -> None:
    """Otherwise the test above would show nothing."""
    size = tiny_config().model.model_copy(update={"dropout": 0.5})
    fit(tiny_config(steps=3).model_copy(update={"model": size}), version_dir=version_dir, workspace=tmp_path)

    dropped = lines(tmp_path / "models" / "tiny")
    assert [line["loss"] for line in dropped] != [line["loss"] for line in lines(trained)[:3]]
