"""The formats that `load` reads: a name in a recipe, and where its loader lives. Reading it imports nothing."""

from __future__ import annotations

from typing import Final

LOADERS: Final = {
    "warc": "crawlers.loaders.warc:Warc",
    "html": "crawlers.loaders.files:Html",
    "text": "crawlers.loaders.files:Text",
    "markdown": "crawlers.loaders.markdown:Markdown",
    "restructuredtext": "crawlers.loaders.restructuredtext:RestructuredText",
    "package_metadata": "crawlers.loaders.package_metadata:PackageMetadata",
    "jsonl": "crawlers.loaders.jsonl:JsonLines",
    "parquet": "crawlers.loaders.parquet:Parquet",
}
