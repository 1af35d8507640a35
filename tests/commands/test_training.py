"""Training and evaluation on versions in a workspace, on a store and at a URL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from corpusmill.pipelines.workspace import Workspace
from tests.commands.conftest import Command
from tests.pipelines.dataset.corpora import Doc, publish_version
from tests.s3 import Server
from tests.training.corpora import drawn_texts, tiny_config, write_corpus

CAPTURES = [Doc(f"{number}.md", text=text or "some text") for number, text in enumerate(drawn_texts(60))]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "train.yaml"
    path.write_text(json.dumps(tiny_config(version="my-docs").model_dump(mode="json")))
    return path


def test_a_name_a_url_and_a_folder_give_the_same_run(
    command: Command, config: Path, workspace: Workspace, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place of a version must not affect the model."""
    near = publish_version(workspace, CAPTURES)
    far = publish_version(Workspace(workspace.root.parent / "other", s3_url), CAPTURES)
    answers = [command("train", config, "--version", place, "--fresh", "--json") for place in (near.path, far.address)]
    measured = [command("evaluate", "tiny", "--json")]
    monkeypatch.setenv("CORPUSMILL_STORE", s3_url)

    answers.append(command("train", config, "--fresh", "--json"))
    measured += [command("evaluate", "tiny", *place, "--json") for place in ([], [near.path], [far.address])]

    assert [answer.code for answer in (*answers, *measured)] == [0] * 7
    assert {json.loads(answer.out)["version"] for answer in answers} == {near.manifest.version}
    assert len({json.loads(answer.out)["train_loss"] for answer in answers}) == 1
    assert len({json.loads(answer.out)["bits_per_byte"] for answer in measured}) == 1
    assert f"training tiny on {far.address}" in answers[2].err


def test_kept_tokens_give_the_same_run(command: Command, config: Path, workspace: Workspace) -> None:
    """A cache saves time and changes nothing, also on a store."""
    publish_version(workspace, CAPTURES)
    from_text = json.loads(command("train", config, "--json").out)

    made = command("tokenize", "my-docs", "--tokenizer", "tiny", "--json")
    again = command("tokenize", "my-docs", "--tokenizer", "tiny")
    from_cache = command("train", config, "--fresh", "--json")

    assert json.loads(made.out)["status"] == "made"
    assert Path(json.loads(made.out)["path"]).is_relative_to(workspace.root / "tokens")
    assert again.out.startswith("unchanged: ")
    assert json.loads(from_cache.out)["train_loss"] == from_text["train_loss"]
    shutil.rmtree(workspace.root / "tokens")
    assert command("train", config, "--fresh", "--json").code == 0


def test_the_documents_of_a_batch(command: Command, config: Path, workspace: Workspace) -> None:
    """They lead to `explain ID`; with and without kept tokens."""
    publish_version(workspace, CAPTURES)
    command("train", config)
    from_text = json.loads(command("explain", "--batch", "tiny:7", "--json").out)
    command("tokenize", "my-docs", "--tokenizer", "tiny")
    from_cache = json.loads(command("explain", "--batch", "tiny:7", "--json").out)
    shown = command("explain", "--batch", "tiny:7")

    assert from_cache["rows"] == from_text["rows"]
    assert [row["lane"] for row in from_text["rows"]] == [0, 1, 2, 3]
    id = from_text["rows"][0]["documents"][0]["id"]
    assert shown.out.startswith("step 7 of tiny: 4 rows, ")
    assert f"row 0  {id}  my-docs, tokens " in shown.out
    assert id in command("explain", id, "--json").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny"], "a batch is a run and a step"),
        (["tiny:99"], "has no step 99"),
        (["none:1"], "has no trained model"),
        (["tiny:1", "abc"], "--batch and a document were named"),
    ],
)
def test_a_batch_that_is_not_there(
    command: Command, config: Path, workspace: Workspace, arguments: list[str], message: str
) -> None:
    """What was named, and what would be right."""
    publish_version(workspace, CAPTURES)
    command("train", config)

    answer = command("explain", "--batch", *arguments)

    assert answer.code == 2
    assert message in answer.err


def test_a_damaged_cache_stops_a_run(command: Command, config: Path, workspace: Workspace) -> None:
    """The message names the file, and the hint says how to make it again."""
    publish_version(workspace, CAPTURES)
    command("train", config)
    made = json.loads(command("tokenize", "my-docs", "--tokenizer", "tiny", "--json").out)
    for path in Path(made["path"]).glob("*.arrow"):
        path.write_bytes(b"other")

    answer = command("train", config, "--fresh")

    assert answer.code == 1
    assert "the file of the token cache cannot be read" in answer.err
    assert "corpusmill tokenize" in answer.err


def test_each_figure_says_which_part_of_the_split_it_was_measured_on(
    command: Command, tmp_path: Path, workspace: Workspace
) -> None:
    """`train` may validate on the beginning of the split, `evaluate` measures all of it."""
    publish_version(workspace, CAPTURES)
    config = tmp_path / "train.yaml"
    fields = tiny_config(version="my-docs", steps=3, validation_bytes=2000).model_dump(mode="json")
    config.write_text(json.dumps(fields))

    assert " bits per byte on the first 2.0 kB of the validation split\n" in command("train", config).out
    assert " on the whole split `train` (" in command("evaluate", "tiny", "--split", "train").out


def test_a_tokenizer_of_a_url_lies_in_the_workspace(command: Command, workspace: Workspace, s3_url: str) -> None:
    """The name of the folder contains the origin."""
    far = publish_version(Workspace(workspace.root.parent / "other", s3_url), CAPTURES)

    answer = command("tokenizer", far.address, "--vocabulary-size", 300, "--json")

    folder = Path(json.loads(answer.out)["path"]).parent
    assert folder.parent == workspace.models / "tokenizers"
    assert folder.name == f"{far.address.replace('://', '-').replace('/', '-')}-300"


def test_a_folder_of_parquet_is_trained_on(command: Command, config: Path, tmp_path: Path) -> None:
    """No version is needed."""
    write_corpus(tmp_path / "loose")

    answer = command("train", config, "--version", "./loose", "--json")

    assert (answer.code, json.loads(answer.out)["dataset"]) == (0, None)


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [
        (0.25, "the model is better by 0.250"),
        (-0.198, "the model is worse by 0.198"),
        (-0.0001, "the model is as good"),
    ],
)
def test_the_comparison_with_a_baseline_is_said_in_words(
    command: Command, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, gain: float, verdict: str
) -> None:
    """ "-0.198 better" is confusing, because it is a loss."""
    measured = {"bits_per_byte": 2.0, "loss": 1.0, "documents": 3, "by_source": {}}
    baseline = {"name": "trigram", "bits_per_byte": 2.0 + gain, "gain": gain}
    monkeypatch.setattr("corpusmill.training.evaluate", lambda *_, **__: measured | {"baseline": baseline})
    version = publish_version(workspace, CAPTURES)

    answer = command("evaluate", "tiny", version.path, "--baseline", "trigram")

    assert answer.out.splitlines()[-1] == f"trigram: {2 + gain:.3f} bits per byte; {verdict}"


def test_a_store_that_is_away_is_exit_5(
    command: Command, config: Path, workspace: Workspace, s3: Server, s3_url: str
) -> None:
    """Exit code 5 says that a retry may help."""
    far = publish_version(Workspace(workspace.root.parent / "other", s3_url), CAPTURES)
    s3.is_down = True

    answer = command("train", config, "--version", far.address)

    assert answer.code == 5
    assert "AWS_ENDPOINT_URL" in answer.err


def test_models_are_listed_with_their_costs_for_a_size(command: Command) -> None:
    """A user compares them before training one."""
    listed = command("models", "-o", "model.layers=2", "-o", "model.width=64", "--json")
    table = command("models", "-o", "model.name=gru", "-o", "model.layers=2", "-o", "model.width=64").out

    rows = [json.loads(line) for line in listed.out.splitlines()]
    assert [row["name"] for row in rows] == ["llama", "gpt", "rnn", "lstm", "gru", "bert"]
    assert all(row.keys() >= {"name", "family", "parameters", "memory_bytes", "objective"} for row in rows)
    gru = rows[4]
    assert gru["parameters"] == 2 * 3 * (2 * 64**2 + 2 * 64) + 8192 * 64
    assert gru["memory_bytes"] == 16 * gru["parameters"] + gru["activations_bytes"]
    assert f"gru    recurrent  next_token     {gru['parameters']:,}" in table
    assert "the size of a model does not depend on it" in command("models", "-o", "steps=3").err


def test_a_model_of_masked_tokens_is_trained_and_measured(
    command: Command, tmp_path: Path, workspace: Workspace
) -> None:
    """Bits per byte have no meaning for it: every command shows the masked tokens that it predicts instead."""
    publish_version(workspace, CAPTURES)
    size = {"name": "bert", "layers": 1, "heads": 2, "width": 16, "sequence_length": 16}
    config = tmp_path / "train.yaml"
    config.write_text(json.dumps(tiny_config(version="my-docs", model=size).model_dump(mode="json")))

    trained, measured = command("train", config), command("evaluate", "tiny")

    assert " % of masked tokens predicted on the validation split\n" in trained.out
    assert " % of masked tokens predicted, loss " in measured.out
    assert json.loads(command("evaluate", "tiny", "--json").out)["masked_tokens"] > 0
    for refused, reason in (
        (("evaluate", "tiny", "--baseline", "trigram"), "trigram"),
        (("generate", "tiny"), "continue"),
    ):
        answer = command(*refused)
        assert (answer.code, reason in answer.err, "hint: " in answer.err) == (2, True, True)
