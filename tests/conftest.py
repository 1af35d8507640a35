"""What all tests share: no deadline for generated cases, because machines that run tests are busy ones."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.s3 import Server

settings.register_profile("corpusmill", deadline=None)
settings.load_profile("corpusmill")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes that are no text alike: gzip writes the time into them, and all workers have to find equal names."""
    return "bytes" if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(scope="session", autouse=True)
def _scratch_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep copies of objects apart from those of other runs of the tests, and remove them with the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUSMILL_SCRATCH", str(tmp_path_factory.mktemp("scratch")))
        yield


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[Server]:
    from tests.s3 import running_server  # boto costs half a second

    with running_server() as server:
        yield server


@pytest.fixture
def s3(_s3_server: Server) -> Iterator[Server]:
    """A real S3-speaking server, and what it shall do wrong."""
    _s3_server.heal()
    yield _s3_server
    _s3_server.heal()


@pytest.fixture
def s3_url(s3: Server) -> str:
    """A place in a bucket that no other test uses."""
    return f"s3://corpora/{uuid.uuid4().hex}"
