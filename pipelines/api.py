"""Run a recipe by its path, for the command and the Python function."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.engines.driver import Engine, Observer, Silent
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.planning.sources import Acquisition
from corpusmill.pipelines.running.run import Options, run
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.problems import hint_among

ENGINES: Final = ("local", "spark", "beam")


def make_engine(
    name: str, *, workers: int | None = None, master: str | None = None, memory_bytes: int | None = None
) -> Engine:
    """Return the engine *name*.

    Raises:
        UsageError: There is no such engine, or it is not installed.
    """
    if name == "local":
        from corpusmill.pipelines.engines.local import LocalEngine

        return LocalEngine(workers, memory_bytes=memory_bytes)
    if name == "spark":
        from corpusmill.pipelines.engines.spark import SparkEngine

        return SparkEngine(master or f"local[{workers or 2}]")
    if name == "beam":
        from corpusmill.pipelines.engines.beam import BeamEngine

        return BeamEngine()
    if name == "ray":
        raise UsageError("the engine `ray` is not implemented", hint=f"engines: {', '.join(ENGINES)}")
    raise UsageError(f"unknown engine {name!r}", hint=hint_among(name, ENGINES, noun="engines"))


def run_recipe(
    recipe: str | Path,
    *,
    workspace: Workspace,
    acquisition: Acquisition,
    engine: str = "local",
    workers: int | None = None,
    master: str | None = None,
    memory_bytes: int | None = None,
    observer: Observer | None = None,
    limit: int | None = None,
    accept: bool = False,
    fresh: bool = False,
) -> dict[str, Any]:
    """Run *recipe* in *workspace* and return the output of ``run --json``."""
    loaded = read_recipe(recipe, workspace, acquisition)
    runner = make_engine(engine, workers=workers, master=master, memory_bytes=memory_bytes)
    try:
        result = run(
            loaded,
            workspace,
            runner,
            acquisition,
            observer=observer or Silent(),
            options=Options(limit=limit, accept=accept, fresh=fresh),
        )
    except KeyboardInterrupt:
        runner.close(at_once=True)
        raise
    finally:
        runner.close()
    return result.as_dict()
