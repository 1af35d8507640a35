"""A corpus and its tokenizer, made once for all tests of training that only read."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.training.corpora import copy_to_store, tiny_config, write_corpus, write_version


@pytest.fixture(scope="session")
def corpus_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def version_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("version"))


@pytest.fixture(params=["memory", "s3"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Return a location on a store that no other test uses."""
    return f"memory://{uuid.uuid4().hex}" if request.param == "memory" else str(request.getfixturevalue("s3_url"))


@pytest.fixture
def far_version(store_url: str, version_dir: Path) -> str:
    """The version of `version_dir` on a store."""
    return copy_to_store(version_dir, f"{store_url}/versions/drawn/0123456789abcdef")


@pytest.fixture
def s3_version(s3_url: str, version_dir: Path) -> str:
    """The same on S3, where tests inject failures and other processes have access."""
    return copy_to_store(version_dir, f"{s3_url}/versions/drawn/0123456789abcdef")


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
