"""The table of formats that `load` reads: their names in a recipe, and their loaders. Reading it imports no loader."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from corpusmill.schemas.errors import RecipeError

ENTRY_POINTS: Final = "corpusmill.loaders"
"""The group of entry points with which other distributions add formats."""
LOADERS: Final = {
    "warc": "corpusmill.crawlers.loaders.warc:Warc",
    "wet": "corpusmill.crawlers.loaders.wet:Wet",
    "html": "corpusmill.crawlers.loaders.files:Html",
    "text": "corpusmill.crawlers.loaders.files:Text",
    "markdown": "corpusmill.crawlers.loaders.markdown:Markdown",
    "restructuredtext": "corpusmill.crawlers.loaders.restructuredtext:RestructuredText",
    "notebook": "corpusmill.crawlers.loaders.notebook:Notebook",
    "git": "corpusmill.crawlers.loaders.git:Git",
    "package_metadata": "corpusmill.crawlers.loaders.package_metadata:PackageMetadata",
    "jsonl": "corpusmill.crawlers.loaders.jsonl:JsonLines",
    "csv": "corpusmill.crawlers.loaders.csv_rows:Csv",
    "sqlite": "corpusmill.crawlers.loaders.sqlite:Sqlite",
    "postgresql": "corpusmill.crawlers.loaders.postgresql:Postgresql",
    "arrow": "corpusmill.crawlers.loaders.arrow:Arrow",
    "huggingface": "corpusmill.crawlers.loaders.huggingface:HuggingFace",
    "parquet": "corpusmill.crawlers.loaders.parquet:Parquet",
    "feed": "corpusmill.crawlers.loaders.feed:FeedEntries",
    "reuters": "corpusmill.crawlers.loaders.reuters:Reuters",
    "wikipedia": "corpusmill.crawlers.loaders.wikipedia:Wikipedia",
    "fhir": "corpusmill.crawlers.loaders.fhir:Fhir",
    "hl7": "corpusmill.crawlers.loaders.hl7:Hl7",
    "gutenberg": "corpusmill.crawlers.loaders.gutenberg:Gutenberg",
    "epub": "corpusmill.crawlers.loaders.epub:Epub",
    "docx": "corpusmill.crawlers.loaders.docx:Docx",
    "odt": "corpusmill.crawlers.loaders.odt:Odt",
    "stackexchange": "corpusmill.crawlers.loaders.stackexchange:StackExchange",
    "mbox": "corpusmill.crawlers.loaders.mbox:Mbox",
    "reddit": "corpusmill.crawlers.loaders.reddit:Reddit",
    "jats": "corpusmill.crawlers.loaders.jats:Jats",
    "medline": "corpusmill.crawlers.loaders.medline:Medline",
    "tei": "corpusmill.crawlers.loaders.tei:Tei",
    "pdf": "corpusmill.crawlers.loaders.pdf:Pdf",
    "arxiv": "corpusmill.crawlers.loaders.arxiv:Arxiv",
}


def loader_table() -> dict[str, str]:
    """Return `LOADERS`, then the formats of other distributions.

    Raises:
        RecipeError: A distribution has a format with a name that is already used, or one that cannot be imported.
    """
    table = dict(LOADERS)
    for name, place, owner in _added():
        if table.setdefault(name, place) != place:
            raise RecipeError(
                f"two formats have the name `{name}`: {table[name]} and {place}",
                hint=f"uninstall {owner}, or rename its entry point",
            )
        _check(name, place, owner)
    return table


def _check(name: str, place: str, owner: str) -> None:
    module, _, attribute = place.partition(":")
    try:
        getattr(import_module(module), attribute)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise RecipeError(
            f"the format `{name}` of the distribution {owner} cannot be imported from `{place}`: {error}",
            hint=f"install {owner} again with all of its modules, or run `pip uninstall {owner}`",
        ) from error


@cache
def _added() -> tuple[tuple[str, str, str], ...]:
    """Return name, place and distribution of each entry point; distributions are not installed during a run."""
    from importlib.metadata import entry_points  # 20 ms, which `--help` does not need

    found = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)
    return tuple((entry.name, entry.value, entry.dist.name if entry.dist else entry.value) for entry in found)
