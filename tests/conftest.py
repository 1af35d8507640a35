"""Shared fixtures. Generated cases have no deadline, because test machines can be busy."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.s3 import Server
    from tests.shared_engines import SharedEngines

settings.register_profile("corpusmill", deadline=None)
settings.load_profile("corpusmill")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Return the same id for all binary parameters: gzip output contains the time, but workers need equal test ids."""
    return "bytes" if isinstance(val, bytes) and not val.isascii() else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run modules with engines first. They take longest, and at the end one of them would keep a single core busy."""
    with_engines = {item.path for item in items if item.get_closest_marker("engine")}
    items.sort(key=lambda item: item.path not in with_engines)


@pytest.fixture(scope="session", autouse=True)
def _scratch_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a scratch folder for this test run only, which pytest removes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUSMILL_SCRATCH", str(tmp_path_factory.mktemp("scratch")))
        yield


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[SharedEngines]:
    """Return the engine of a name, which all tests of this process share."""
    from tests.shared_engines import SharedEngines

    engines = SharedEngines()
    yield engines
    engines.close()


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[Server]:
    from tests.s3 import running_server  # importing boto takes half a second

    with running_server() as server:
        yield server


@pytest.fixture
def s3(_s3_server: Server) -> Iterator[Server]:
    """Return a real S3 server whose faults the test controls."""
    _s3_server.heal()
    yield _s3_server
    _s3_server.heal()


@pytest.fixture
def s3_url(s3: Server) -> str:
    """Return the URL of a prefix that no other test uses."""
    return f"s3://corpora/{uuid.uuid4().hex}"
