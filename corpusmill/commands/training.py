"""The commands that train, evaluate and use models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from corpusmill.commands.numbers import NumberRange
from corpusmill.commands.place import version_place, workspace_of
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.storage import is_url
from corpusmill.terminal.console import Console, table
from corpusmill.terminal.figures import plural, size


def _model_folder(console: Console, name: Path) -> Path:
    """Return the folder of a model, named by its path or by its run in the workspace."""
    run = console.workspace / "models" / name
    return name if name.exists() or not run.exists() else run


@click.command()
@click.argument("version")
@click.option(
    "--vocabulary-size",
    type=click.IntRange(257),
    default=8192,
    show_default=True,
    help="Size of the vocabulary, in tokens.",
)
@click.option("--split", default="train", show_default=True, help="Split to train on.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.  [default: models/tokenizers/…]",
)
@click.pass_obj
def tokenizer(console: Console, version: str, vocabulary_size: int, split: str, out: Path | None) -> None:
    """Train a byte-level BPE tokenizer on VERSION. The same texts always give the same file."""
    from corpusmill.training import train_tokenizer

    place = version_place(console, version)
    name = f"{version.replace('://', '-').replace('@', '-').replace('/', '-').strip('-')}-{vocabulary_size}"
    target = out or console.workspace / "models" / "tokenizers" / name
    result = train_tokenizer(place, vocabulary_size=vocabulary_size, out=target, split=split)
    if console.as_json:
        console.data(result)
    else:
        texts = f"{plural(result['documents'], 'document')}, {size(result['bytes'])}"
        console.text(f"{result['path']}: {result['vocabulary_size']:,} tokens from {texts}")


@click.command()
@click.option(
    "-o",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="A field of a training configuration, as `model.layers=8`; may be repeated.",
)
@click.pass_obj
def models(console: Console, options: tuple[str, ...]) -> None:
    """List the models that can be trained: parameters, memory of training, and operations for a given size.

    The size is the default of `corpusmill train`, changed by fields of `model`, `objective`, `tokenizer` and `batch`.
    Each model takes the fields that it has; `-o model.name=lstm` lists one model.
    """
    from corpusmill.training import catalog

    listed = catalog(options)
    if console.as_json:
        for costs in listed:
            console.data(costs.as_dict())
        return
    rows = [
        {
            "model": costs.name,
            "family": costs.family,
            "objective": costs.objective,
            "parameters": costs.parameters,
            "memory": size(costs.memory),
            "of it activations": size(costs.activations),
            "MFLOPs/token": round(costs.flops_per_token / 1e6, 2),
        }
        for costs in listed
    ]
    console.text(table(rows, list(rows[0])))


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--version", "version", help="Train on this version instead of the one in CONFIG.")
@click.option("--fresh", is_flag=True, help="Discard the checkpoints of this run and start again.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Processes that read and tokenize; 0 uses the training process.",
)
@click.pass_obj
def train(console: Console, config: Path, version: str | None, fresh: bool, workers: int) -> None:
    """Train the model that CONFIG describes.

    A run that was interrupted resumes from its last checkpoint and reaches the same losses.
    """
    from corpusmill.training import fit, load_config

    settings = load_config(config)
    names = [version] if version else [one.version for one in settings.versions]
    places = [version_place(console, name) for name in names]
    console.say(f"training {settings.run} on {', '.join(places)}")
    result = fit(
        settings,
        version_dir=places,
        workspace=console.workspace,
        tokens=workspace_of(console).store,
        resume=not fresh,
        progress=_progress(console),
        num_workers=workers,
    )
    for warning in result.get("warnings", ()):
        console.warn(warning)
    if console.as_json:
        console.data(result)
    else:
        console.text(_training_as_text(result, validation_bytes=settings.validation_bytes))


def _progress(console: Console) -> Any:
    """Return a function that draws progress: in place on a terminal, else ten lines in all."""
    if console.quiet:
        return None

    def draw(progress: Any) -> None:
        last = progress.step == progress.steps
        if console.shows_progress:
            print(f"\r\x1b[2K{str(progress)[:118]}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last or progress.step % max(1, progress.steps // 10) == 0:
            console.say(str(progress))

    return draw


def _training_as_text(result: dict[str, Any], *, validation_bytes: int | None) -> str:
    part = "" if validation_bytes is None else f"the first {size(validation_bytes)} of "
    is_measured = result["validation_loss"] is not None
    measured = f", {_score_as_text(result)} on {part}the validation split" if is_measured else ""
    first = f"{result['status']} {result['run']} at step {result['step']:,}{measured}"
    return f"{first}\n  {result['path']}\n  {result['path']}/index.html"


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("version", required=False)
@click.option("--split", default="validation", show_default=True, help="Split to evaluate on.")
@click.option(
    "--baseline",
    type=click.Choice(["trigram"]),
    help="Compare with a trigram model over the bytes of the training text.",
)
@click.pass_obj
def evaluate(console: Console, model: Path, version: str | None, split: str, baseline: Any) -> None:
    """Measure the loss of MODEL on VERSION, in bits per byte; of `bert`, the masked tokens that it predicts.

    MODEL is the name of a run, its folder, or a checkpoint. VERSION defaults to the one it was trained on.
    """
    from corpusmill.training import evaluate as score

    folder = _model_folder(console, model)
    place = version_place(console, version) if version else _trained_on(console, folder)
    result = score(folder, place, split=split, baseline=baseline)
    if console.as_json:
        console.data(result)
        return
    console.text(
        f"{_score_as_text(result)}, loss {result['loss']:.3f} on the whole split `{split}` "
        f"({plural(result['documents'], 'document')})"
    )
    for name, source in result["by_source"].items():
        console.text(f"  {name}: {_score_as_text(source)} on {plural(source['documents'], 'document')}")
    if baseline:
        console.text(_comparison(result["baseline"]))


def _score_as_text(figures: dict[str, Any]) -> str:
    """Describe how well a model predicts a text.

    >>> _score_as_text({"bits_per_byte": 1.85}), _score_as_text({"bits_per_byte": None, "masked_accuracy": 0.312})
    ('1.850 bits per byte', '31.2 % of masked tokens predicted')
    """
    if figures.get("masked_accuracy") is not None:
        return f"{100 * figures['masked_accuracy']:.1f} % of masked tokens predicted"
    return f"{figures['bits_per_byte']:.3f} bits per byte"


def _comparison(baseline: dict[str, Any]) -> str:
    """Describe how the model compares with *baseline*.

    >>> _comparison({"name": "trigram", "bits_per_byte": 2.1, "gain": -0.198})
    'trigram: 2.100 bits per byte; the model is worse by 0.198'
    """
    gain = round(baseline["gain"], 3)
    verdict = f"{'better' if gain > 0 else 'worse'} by {abs(gain):.3f}" if gain else "as good"
    return f"{baseline['name']}: {baseline['bits_per_byte']:.3f} bits per byte; the model is {verdict}"


def _trained_on(console: Console, model: Path) -> str:
    """Return the path or URL of the version that *model* was trained on."""
    from corpusmill.training.checkpoint import find_checkpoint, read_state

    lineage = read_state(find_checkpoint(model)).get("lineage", {})
    dataset, version, path = lineage.get("dataset"), lineage.get("version"), lineage.get("path", "")
    if is_url(path):
        return str(path)
    if not dataset or not version:
        raise UsageError(
            f"{model} does not say what it was trained on", hint="name the version: `corpusmill evaluate MODEL VERSION`"
        )
    return version_place(console, f"{dataset}@{version}")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="Text to continue.  [default: start a new document]")
@click.option("--max-tokens", type=click.IntRange(0), default=200, show_default=True, help="Tokens to generate.")
@click.option(
    "--temperature",
    type=NumberRange(0),
    default=0.8,
    show_default=True,
    help="Randomness; 0 always takes the likeliest token.",
)
@click.option(
    "--top-k", type=click.IntRange(1), default=50, show_default=True, help="Sample from the K likeliest tokens."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random numbers.")
@click.pass_obj
def generate(console: Console, /, model: Path, prompt: str, **options: Any) -> None:
    """Generate text with MODEL: the name of a run, its folder, or a checkpoint."""
    from corpusmill.training import generate as write

    text = write(_model_folder(console, model), prompt, **options)
    if console.as_json:
        console.data({"model": str(model), "prompt": prompt, "text": text, **options})
    else:
        console.text(text)
