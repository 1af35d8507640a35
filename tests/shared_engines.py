"""Engines that all tests of a process share: starting one takes longer than most plans."""

from __future__ import annotations

from corpusmill.pipelines.api import make_engine
from corpusmill.pipelines.engines.driver import Engine


class SharedEngines:
    """Engines by name, each started when a test first asks for it. Tests must not close them."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}

    def __call__(self, name: str) -> Engine:
        """Return the engine *name*; ``local`` has two workers.

        Spark is started again if a test stopped it: there is one session in a process.
        """
        if name == "spark" and name in self._engines and not _has_spark():
            del self._engines[name]
        if name not in self._engines:
            self._engines[name] = make_engine(name, workers=2)
        return self._engines[name]

    def close(self) -> None:
        """Stop all engines."""
        for name, engine in self._engines.items():
            if name != "spark" or _has_spark():
                engine.close()


def _has_spark() -> bool:
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() is not None
