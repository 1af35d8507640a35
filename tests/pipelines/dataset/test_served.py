"""Queries of DuckDB over the files of a version."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from corpusmill.pipelines.dataset.tables import open_tables
from corpusmill.pipelines.workspace import Workspace
from tests.pipelines.dataset.corpora import docs, publish_version

FOREVER = "SELECT sum(a.range * b.range) FROM range(200000) a, range(200000) b"


def test_an_interrupted_query_raises_keyboard_interrupt(workspace: Workspace) -> None:
    """DuckDB raises another error, which would be reported as a bug in corpusmill."""
    version = publish_version(workspace, docs(range(3)))

    def interrupt() -> None:
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), open_tables({"documents": (version, "shard")}) as connection:
        connection.execute(FOREVER)
