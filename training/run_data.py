"""The data of a run: one version, or the versions of a mixture, with their splits."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.schemas.storage import is_url
from corpusmill.training.config import TrainConfig
from corpusmill.training.data.mixture import Part, Shares
from corpusmill.training.data.packed import PackedDataset
from corpusmill.training.data.parts import mixed_values, mixed_versions
from corpusmill.training.data.shards import Corpus, Place, open_corpus
from corpusmill.training.data.token_cache import cache_of
from corpusmill.training.data.tokenizer import fingerprint
from corpusmill.training.evaluation.likelihood import Document, documents


@dataclass(frozen=True)
class RunData:
    """The open splits of the versions of a run, at least one of each."""

    train: tuple[Corpus, ...]
    validation: tuple[Corpus, ...]

    @property
    def dataset(self) -> str | None:
        """Name of the data set; of a mixture, the names of all, joined by ``+``."""
        names = [corpus.dataset for corpus in self.train]
        return "+".join(name or "files" for name in names) if any(names) else None

    @property
    def version(self) -> str:
        """Id of the version; of a mixture, the ids of all, joined by ``+``."""
        return "+".join(corpus.version for corpus in self.train)

    @property
    def is_local(self) -> bool:
        """Whether all files are on this machine."""
        return all(corpus.is_local for corpus in self.train)

    @property
    def has_validation(self) -> bool:
        """Whether there is a document to validate on."""
        return any(corpus.rows for corpus in self.validation)

    def verify(self) -> None:
        """Compare all files with their manifests.

        Raises:
            DamagedFileError: A file differs or is missing.
        """
        for corpus in (*self.train, *self.validation):
            corpus.verify()

    def validation_documents(self, *, max_bytes: int | None) -> Iterator[Document]:
        """Yield the documents of the validation splits, of each until they contain at least *max_bytes* bytes."""
        return itertools.chain.from_iterable(documents(corpus, max_bytes=max_bytes) for corpus in self.validation)

    def parts(self, config: TrainConfig) -> tuple[tuple[Part, ...], Shares]:
        """Return the parts of the mixture in *config*, and their shares over the run.

        Raises:
            UsageError: *config* names a column or a value that the version does not have.
        """
        if len(self.train) > 1:
            return mixed_versions(config.versions, self.train, temperature=config.mixture.temperature)
        parts, shares = mixed_values(self.train[0], config.mixture, config.curriculum, rows=config.rows)
        (version,) = config.versions
        bounded = (Part(one.corpus, one.weight, one.epochs or version.epochs, one.selection) for one in parts)
        return tuple(bounded), shares

    def dataset_of(
        self, config: TrainConfig, tokenizer: Tokenizer, *, tokens: Place, targets: bool = True
    ) -> PackedDataset:
        """Return the rows of the run in *config*, from the token caches in the workspace *tokens* where it has them.

        Args:
            targets: Whether rows have one more token, the target of the last one.

        Raises:
            UsageError: *config* names a column or a value that the version does not have.
            DamagedFileError: A token cache was made from other shards.
            UnfinishedError: A store refuses access or does not respond.
        """
        parts, shares = self.parts(config)
        name = fingerprint(tokenizer)
        caches = {corpus.path: cache_of(tokens, corpus, tokenizer=name) for corpus in self.train}
        return PackedDataset(
            parts,
            tokenizer,
            config.model.sequence_length,
            batch_size=config.batch.sequences,
            seed=config.seed,
            epochs=None,
            targets=targets,
            shares=shares,
            caches=[caches[part.corpus.path] for part in parts],
            packing=config.data.packing,
        )

    def lineage(self, folder: Path) -> dict[str, Any]:
        """Return the origin of the data. Paths are relative to *folder*, so that a workspace can be moved.

        `dataset, version, path, report` are those of the first version, whose report is shown; `versions` has all.
        """
        versions = [
            {
                "dataset": corpus.dataset,
                "version": corpus.version,
                "path": _seen_from(folder, corpus.path),
                "report": None if corpus.report is None else _seen_from(folder, corpus.report),
            }
            for corpus in self.train
        ]
        return {**versions[0], "dataset": self.dataset, "version": self.version, "versions": versions}


def open_run_data(places: Place | Sequence[Place]) -> RunData:
    """Open the splits of the version at *places*, or of several versions.

    Raises:
        UsageError: A place does not exist or contains no Parquet.
        SourceError: A train split is empty, or a file has no text.
        DamagedFileError: A file is missing or differs from the manifest.
        UnfinishedError: A store refuses access or does not respond.
    """
    several = list(places) if isinstance(places, Sequence) and not isinstance(places, str) else [places]
    if not several:
        raise UsageError("a run needs a version")
    train = tuple(open_corpus(place, split="train") for place in several)
    for corpus in train:
        if not corpus.rows:
            reason = f"the split `train` of {corpus.path} is empty"
            raise SourceError(reason, hint="give `train` a share in the recipe's `split`")
    return RunData(train, tuple(open_corpus(place, split="validation") for place in several))


def _seen_from(folder: Path, place: str) -> str:
    return place if is_url(place) else os.path.relpath(place, folder)
