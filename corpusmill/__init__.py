"""corpusmill: from sources to a published corpus, its report and a model trained on it.

The command line (`corpusmill.command`) as functions. Importing this package imports nothing else; each function imports
what it needs when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpusmill.schemas import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from corpusmill.pipelines.dataset.version import Version
    from corpusmill.pipelines.planning.sources import Acquisition

__version__ = "0.1.0"
__all__ = ["acquisition", "extract", "open_version", "run"]


def extract(html: bytes, url: str | None = None) -> str:
    """Return the main text of the page *html*, the body as it was sent; empty when it has none or is not a web page.

    Raises:
        TypeError: *html* is a `str`.
    """
    from corpusmill.pipelines.stages.extract import extract as main_text

    return main_text(html, url)


def open_version(name_or_path: str, workspace: str | Path = DEFAULT_WORKSPACE, *, store: str | None = None) -> Version:
    """Open a published version: ``dataset``, ``dataset@id``, ``dataset@tag``, or a version's folder or URL.

    Args:
        store: Folder or URL of the store that holds the versions; by default `CORPUSMILL_STORE`, else *workspace*.

    Raises:
        UsageError: There is no such version.
    """
    from corpusmill.pipelines.dataset import open_version as open_in
    from corpusmill.pipelines.workspace import workspace_at

    return open_in(name_or_path, workspace_at(workspace, store))


def run(
    recipe: str | Path,
    *,
    workspace: str | Path = DEFAULT_WORKSPACE,
    store: str | None = None,
    engine: str = "local",
    workers: int | None = None,
    limit: int | None = None,
    accept: bool = False,
) -> dict[str, Any]:
    """Run the *recipe*, publish a version, and return what ``corpusmill run --json`` prints.

    Args:
        store: Folder or URL for raw files, tasks and versions; by default `CORPUSMILL_STORE`, else *workspace*.
        workers: Processes of the local engine; one per processor by default, 0 runs in this process.
        limit: Take only this many documents (those with the smallest ids) and publish ``<dataset>-sample``.
        accept: Publish even when one of the recipe's checks fails.

    Raises:
        CorpusmillError: By who must act; see `corpusmill.schemas.errors`.
    """
    from corpusmill.pipelines.api import run_recipe
    from corpusmill.pipelines.workspace import workspace_at

    return run_recipe(
        recipe,
        workspace=workspace_at(workspace, store),
        acquisition=acquisition(),
        engine=engine,
        workers=workers,
        limit=limit,
        accept=accept,
    )


def acquisition() -> Acquisition:
    """Return what crawls and loads sources, for the pipelines, which may not import the crawlers."""
    from corpusmill.crawlers.acquisition import CrawlersAcquisition

    return CrawlersAcquisition()
