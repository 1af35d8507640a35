"""The three kinds of store that every test of the shared suite runs on."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from corpusmill.schemas.storage import Store, open_store


@pytest.fixture(autouse=True)
def _own_scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUSMILL_SCRATCH", str(tmp_path_factory.mktemp("scratch")))


@pytest.fixture(params=["local", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store of each kind."""
    if request.param == "local":
        return str(tmp_path / "store")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}"
    return str(request.getfixturevalue("s3_url"))


@pytest.fixture
def store(url: str) -> Store:
    """Return an empty store of each kind."""
    return open_store(url)
