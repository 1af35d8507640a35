"""A corpus and its tokenizer, made once for all tests of training that only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.corpora import tiny_config, write_corpus, write_version


@pytest.fixture(scope="session")
def corpus_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def version_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("version"))


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory, corpus_dir: Path) -> Path:
    from corpusmill.training.data import train_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(corpus_dir, vocabulary_size=300, out=folder)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, version_dir: Path) -> Path:
    from corpusmill.training import fit

    workspace = tmp_path_factory.mktemp("workspace")
    return Path(fit(tiny_config(), version_dir=version_dir, workspace=workspace)["path"])
