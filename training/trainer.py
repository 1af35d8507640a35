"""`fit`: train a model on a version. A run can be stopped at any time and resumes with the same losses."""
# ruff: noqa: N803 - names of tensors end in their shape

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor

from corpusmill.schemas.errors import WorkError
from corpusmill.schemas.storage import write_atomically
from corpusmill.training.checkpoint import (
    load_optimizer,
    load_weights,
    newest_checkpoint,
    read_state,
    write_checkpoint,
    writing,
)
from corpusmill.training.config import TrainConfig, config_yaml, load_config
from corpusmill.training.data.best_fit import PADDING
from corpusmill.training.data.loader import BatchLoader
from corpusmill.training.data.order import mixed
from corpusmill.training.data.shards import Place
from corpusmill.training.evaluation.generation import generate
from corpusmill.training.evaluation.scoring import score_texts
from corpusmill.training.metrics import METRICS_FILE, MetricsFile, read_metrics
from corpusmill.training.models import build_model
from corpusmill.training.models.base import LanguageModel
from corpusmill.training.objectives import build_objective
from corpusmill.training.objectives.base import Examples, Objective, loss
from corpusmill.training.page import model_card, run_page
from corpusmill.training.run_data import RunData, open_run_data
from corpusmill.training.run_folder import (
    CARD_FILE,
    CONFIG_FILE,
    PAGE_FILE,
    forget,
    locked,
    refuse_other_run,
    run_tokenizer,
)
from corpusmill.training.runtime import Runtime, repeatable
from corpusmill.training.schedules import cosine_with_warm_up

logger = logging.getLogger(__name__)

_SAMPLE_TOKENS: Final = 120


@dataclass(frozen=True)
class Progress:
    """Progress of a run; as text, one line for a terminal."""

    run: str
    step: int
    steps: int
    loss: float
    validation_loss: float | None
    bits_per_byte: float | None
    masked_accuracy: float | None
    tokens_per_s: float

    def __str__(self) -> str:
        validation = "" if self.bits_per_byte is None else f", validation {self.bits_per_byte:.3f} bits/byte"
        if self.masked_accuracy is not None:
            validation = f", validation {self.validation_loss:.3f}, {self.masked_accuracy:.1%} of masked tokens"
        return (
            f"train {self.run}: step {self.step:,} of {self.steps:,}, loss {self.loss:.3f}{validation}, "
            f"{self.tokens_per_s:,.0f} tokens/s"
        )


def fit(
    config: TrainConfig | Path | str,
    *,
    version_dir: Place | Sequence[Place],
    workspace: Path | str,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
    verify: bool | None = None,
    num_workers: int = 0,
    tokens: Place | None = None,
) -> dict[str, Any]:
    """Train the run in *config* on the version in *version_dir*. The run's folder is `<workspace>/models/<run>`.

    A stopped run resumes from its last checkpoint, with the losses that it would have had without the stop. A finished
    run is left unchanged. The number of workers does not affect the result.

    Args:
        config: The configuration, or its path.
        version_dir: Path or URL of the version (or of a folder or file of Parquet with a column `text`), or those of
            the versions of a mixture, in the order of the configuration.
        workspace: Parent folder of `models/`.
        resume: False deletes earlier results of the run.
        progress: Called after each step.
        verify: Compare the shards with the SHA-256 in the manifest first. None: only if they are on this machine,
            because on a store this transfers all columns.
        num_workers: Processes that tokenize; 0: this process.
        tokens: Folder or URL of the workspace whose token cache is read, if it has one for the version and the
            tokenizer; None: *workspace*. The results are the same.

    Returns:
        `status` (``trained``, ``unchanged``, or ``stopped`` by `max_minutes`), `run, path, step, steps, train_loss,
        validation_loss, bits_per_byte` (None if the model predicts masked tokens), `masked_accuracy` (None if it
        predicts next tokens), `tokens, tokens_per_s, parameters, dataset, version, checkpoint, warnings`.

    Raises:
        RecipeError: The configuration is invalid.
        UsageError: The run was started with another configuration or version.
        SourceError: The train split has no text; `DamagedFileError`: a file differs from the manifest.
        UnfinishedError: Another process trains this run, the disk is full, or the store does not respond.
        WorkError: The loss is no longer a number.
    """
    config = config if isinstance(config, TrainConfig) else load_config(config)
    folder = Path(workspace) / "models" / config.run
    data = open_run_data(version_dir)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), repeatable(config) as runtime:
        if not resume:
            forget(folder)
        if (data.is_local if verify is None else verify) and not _is_done(config, folder):
            data.verify()
        place = workspace if tokens is None else tokens
        run = _prepare(config, folder, data, runtime, num_workers=num_workers, tokens=place)
        return run.train(progress=progress)


@dataclass
class _Totals:
    """Totals of a run since its beginning."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    train_loss: float | None = None
    validation_loss: float | None = None
    bits_per_byte: float | None = None
    masked_accuracy: float | None = None
    validated_at: int = 0
    validation: dict[str, int] = field(default_factory=dict)

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass
class _Run:
    """A run in memory: model, optimizer, data, and totals."""

    config: TrainConfig
    folder: Path
    data: RunData
    runtime: Runtime
    tokenizer: Tokenizer
    model: LanguageModel
    objective: Objective
    optimizer: torch.optim.AdamW
    loader: BatchLoader
    warnings: list[str]
    totals: _Totals = field(default_factory=_Totals)

    def restore(self, checkpoint: Path, state: dict[str, Any]) -> None:
        """Resume from *checkpoint*, whose state is *state*."""
        load_weights(checkpoint, self.model)
        load_optimizer(checkpoint, model=self.model, optimizer=self.optimizer)
        self.loader.load_state_dict(state["data"])
        self.totals = _Totals(**state["totals"])

    @property
    def step(self) -> int:
        """Steps made."""
        return self.totals.step

    def train(self, *, progress: Callable[[Progress], None] | None) -> dict[str, Any]:
        """Run the remaining steps."""
        self._warn()
        status = "unchanged"
        if self.step < self.config.steps:
            with writing(self.folder):
                self._make_steps_left(progress=progress)
            status = "trained" if self.step >= self.config.steps else "stopped"
        if status != "unchanged" or not (self.folder / CARD_FILE).is_file():
            self._describe()
        return self._result(status)

    def _make_steps_left(self, *, progress: Callable[[Progress], None] | None) -> None:
        write_atomically(self.folder / CONFIG_FILE, config_yaml(self.config))
        metrics = MetricsFile(self.folder / METRICS_FILE, last_step=self.step)
        with contextlib.closing(metrics):
            self._make_steps(metrics, progress=progress)

    def _describe(self) -> None:
        """Write the page, then the card, whose existence shows that both are written."""
        lines = read_metrics(self.folder / METRICS_FILE)
        sample = None
        if self.config.model.objective == "next_token":
            sample = generate(self.folder, max_tokens=_SAMPLE_TOKENS, seed=self.config.seed, device=self.config.device)
        with writing(self.folder):
            write_atomically(self.folder / PAGE_FILE, run_page(self._facts(), lines))
            write_atomically(self.folder / CARD_FILE, model_card(self._facts(), sample=sample))

    def _make_steps(self, metrics: MetricsFile, *, progress: Callable[[Progress], None] | None) -> None:
        started = last = time.monotonic()
        for batch in self.loader:
            line = self._make_step(batch)
            now = time.monotonic()
            self.totals.seconds += now - last
            stop = self._is_over(now - started)
            if stop or self.step % self.config.validate_every == 0:
                line |= self._validate()
            metrics.write(line | {"tokens": self.totals.tokens, "seconds": round(self.totals.seconds, 3)})
            if stop or self.step % self.config.checkpoint_every == 0:
                metrics.sync()
                self._save()
            if progress is not None:
                progress(self._progress())
            if stop:
                return
            last = time.monotonic()

    def _make_step(self, batch_BS: Tensor) -> dict[str, Any]:
        """Run one step of the optimizer on the whole batch: a row of tokens for each lane."""
        config = self.config
        rate = config.optimizer.learning_rate * cosine_with_warm_up(
            self.step,
            steps=config.steps,
            warm_up_steps=config.schedule.warm_up_steps,
            final_fraction=config.schedule.final_fraction,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(dropout_seed(config.seed, step=self.step, rank=0))
        examples = self.objective.examples(batch_BS, step=self.step, lanes=range(len(batch_BS)))
        predictions, total = examples.predictions, 0.0
        for part in examples.to(self.runtime.device).chunk(config.batch.accumulation):
            part_loss = self._loss(part, predictions=predictions)
            part_loss.backward()  # type: ignore[no-untyped-call]
            total += part_loss.item()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip or math.inf).item()
        if not math.isfinite(total + norm):
            raise WorkError(
                f"the loss is {total} and its gradient {norm} at step {self.step + 1}",
                hint="use a lower `optimizer.learning_rate` or a longer `schedule.warm_up_steps`",
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.totals.step += 1
        padding = int((batch_BS == PADDING).sum())
        self.totals.tokens += batch_BS.shape[0] * config.model.sequence_length - padding
        self.totals.train_loss = total
        return {"step": self.step, "loss": total, "learning_rate": rate, "gradient_norm": norm}

    def _loss(self, examples: Examples, *, predictions: int) -> Tensor:
        return loss(self._logits, examples, predictions=predictions)

    def _logits(self, tokens_BS: Tensor, **places: Tensor | None) -> Tensor:
        with self.runtime.autocast():
            return self.model(tokens_BS, **places).float()  # type: ignore[no-any-return]

    def _validate(self) -> dict[str, Any]:
        if not self.data.has_validation:
            return {}
        texts = self.data.validation_documents(max_bytes=self.config.validation_bytes)
        total = score_texts(self.model, self.tokenizer, texts, objective=self.objective, forward=self._logits).total
        if not total.bytes:
            return {}
        figures = total.figures()
        measured = {name: figures[name] for name in ("bits_per_byte", "masked_accuracy") if name in figures}
        self.totals.validation_loss, self.totals.validated_at = total.loss, self.step
        self.totals.validation = {"documents": total.documents, "bytes": total.bytes}
        self.totals.bits_per_byte = measured.get("bits_per_byte")
        self.totals.masked_accuracy = measured.get("masked_accuracy")
        return {"validation_loss": total.loss, **measured}

    def _is_over(self, seconds: float) -> bool:
        minutes = self.config.max_minutes
        return self.step >= self.config.steps or (minutes is not None and seconds >= 60 * minutes)

    def _save(self) -> None:
        write_checkpoint(
            self.folder,
            model=self.model,
            optimizer=self.optimizer,
            keep=self.config.keep_checkpoints,
            state={
                "run": self.config.run,
                "step": self.step,
                "totals": vars(self.totals),
                "lineage": self.data.lineage(self.folder),
                "model": self.config.model.model_dump(mode="json"),
                "objective": self.config.objective.model_dump(mode="json"),
                "vocabulary_size": self.tokenizer.get_vocab_size(),
                "config": self.config.model_dump(mode="json"),
                "runtime": _runtime_facts(self.runtime),
                "data": self.loader.state_dict(),
            },
        )

    def _warn(self) -> None:
        if not self.data.has_validation:
            self.warnings.append("the split `validation` is empty: no validation loss is measured")
        for warning in self.warnings:
            logger.warning(warning, extra={"run": self.config.run})

    def _facts(self) -> dict[str, Any]:
        totals = self.totals
        return {
            "run": self.config.run,
            "dataset": self.data.dataset,
            "version": self.data.version,
            "report": self.data.lineage(self.folder)["report"],
            "step": totals.step,
            "steps": self.config.steps,
            "train_loss": totals.train_loss,
            "validation_loss": totals.validation_loss,
            "bits_per_byte": totals.bits_per_byte,
            "masked_accuracy": totals.masked_accuracy,
            "validated_on": self._validated_on(),
            "tokens": totals.tokens,
            "tokens_per_s": round(totals.tokens_per_s),
            "parameters": self.model.parameter_count(),
            "model": self.config.model.model_dump(),
            "vocabulary_size": self.tokenizer.get_vocab_size(),
            "runtime": _runtime_facts(self.runtime),
        }

    def _validated_on(self) -> str | None:
        """Return the part of the split that bits per byte are measured on; None if there is none."""
        measured, limit = self.totals.validation, self.config.validation_bytes
        if not measured:
            return None
        plural = "" if measured["documents"] == 1 else "s"
        texts = f"{measured['documents']:,} document{plural}, {measured['bytes']:,} bytes"
        is_whole = limit is None or measured["bytes"] < limit
        return f"{'the whole split' if is_whole else 'the beginning of the split'} `validation` ({texts})"

    def _progress(self) -> Progress:
        totals = self.totals
        return Progress(
            run=self.config.run,
            step=totals.step,
            steps=self.config.steps,
            loss=totals.train_loss or 0.0,
            validation_loss=totals.validation_loss,
            bits_per_byte=totals.bits_per_byte,
            masked_accuracy=totals.masked_accuracy,
            tokens_per_s=totals.tokens_per_s,
        )

    def _result(self, status: str) -> dict[str, Any]:
        names = ("run", "step", "steps", "train_loss", "validation_loss", "bits_per_byte", "masked_accuracy")
        facts = self._facts()
        return {
            "status": status,
            "path": str(self.folder),
            **{name: facts[name] for name in (*names, "tokens", "tokens_per_s", "parameters", "dataset", "version")},
            "checkpoint": str(newest_checkpoint(self.folder)),
            "warnings": self.warnings,
        }


def _is_done(config: TrainConfig, folder: Path) -> bool:
    checkpoint = newest_checkpoint(folder)
    return checkpoint is not None and bool(read_state(checkpoint)["step"] >= config.steps)


def _prepare(
    config: TrainConfig,
    folder: Path,
    data: RunData,
    runtime: Runtime,
    *,
    num_workers: int,
    tokens: Place,
) -> _Run:
    """Return the run at its newest checkpoint, or at its beginning. Train its tokenizer if it has none."""
    checkpoint = newest_checkpoint(folder)
    state = None if checkpoint is None else read_state(checkpoint)
    warnings = []
    if state is not None:
        refuse_other_run(state, config=config, data=data)
        warnings = _differences(state["runtime"], _runtime_facts(runtime))
    tokenizer = run_tokenizer(config, folder, data)
    model = build_model(config.model, vocabulary_size=tokenizer.get_vocab_size())
    objective = build_objective(config.model, config.objective, tokenizer, seed=config.seed)
    model.reset_parameters(seed=config.seed)
    model.to(runtime.device)
    run = _Run(
        *(config, folder, data, runtime, tokenizer, model, objective),
        optimizer=_adamw(config, model),
        loader=BatchLoader(
            data.dataset_of(config, tokenizer, tokens=tokens, targets=objective.needs_targets), num_workers=num_workers
        ),
        warnings=warnings,
    )
    if checkpoint is not None and state is not None:
        run.restore(checkpoint, state)
    return run


def dropout_seed(seed: int, *, step: int, rank: int) -> int:
    """Return the seed of torch's generators for a step, so that a resumed run drops the same numbers."""
    return mixed(seed, step, rank) >> 1  # torch takes 63 bits


def _runtime_facts(runtime: Runtime) -> dict[str, Any]:
    return {
        "torch": torch.__version__,
        "device": runtime.device.type,
        "precision": runtime.precision,
        "threads": runtime.threads,
    }


def _differences(begun: dict[str, Any], resumed: dict[str, Any]) -> list[str]:
    """Return a warning for each property of the runtime that differs from the start of the run."""
    return [
        f"resumed with {name} {value}, started with {begun.get(name)}: losses may differ in their last digits"
        for name, value in resumed.items()
        if begun.get(name) != value
    ]


def _adamw(config: TrainConfig, model: LanguageModel) -> torch.optim.AdamW:
    chosen = config.optimizer
    return torch.optim.AdamW(
        model.parameter_groups(weight_decay=chosen.weight_decay),
        lr=chosen.learning_rate,
        betas=(chosen.beta1, chosen.beta2),
        eps=chosen.epsilon,
        fused=True,
    )
