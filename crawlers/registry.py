"""The table of formats that `load` reads: their names in a recipe, and their loaders. Reading it imports nothing."""

from __future__ import annotations

from typing import Final

LOADERS: Final = {
    "warc": "corpusmill.crawlers.loaders.warc:Warc",
    "html": "corpusmill.crawlers.loaders.files:Html",
    "text": "corpusmill.crawlers.loaders.files:Text",
    "markdown": "corpusmill.crawlers.loaders.markdown:Markdown",
    "restructuredtext": "corpusmill.crawlers.loaders.restructuredtext:RestructuredText",
    "package_metadata": "corpusmill.crawlers.loaders.package_metadata:PackageMetadata",
    "jsonl": "corpusmill.crawlers.loaders.jsonl:JsonLines",
    "csv": "corpusmill.crawlers.loaders.csv_rows:Csv",
    "sqlite": "corpusmill.crawlers.loaders.sqlite:Sqlite",
    "postgresql": "corpusmill.crawlers.loaders.postgresql:Postgresql",
    "arrow": "corpusmill.crawlers.loaders.arrow:Arrow",
    "huggingface": "corpusmill.crawlers.loaders.huggingface:HuggingFace",
    "parquet": "corpusmill.crawlers.loaders.parquet:Parquet",
}
