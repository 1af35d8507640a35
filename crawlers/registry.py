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
    "parquet": "corpusmill.crawlers.loaders.parquet:Parquet",
    "feed": "corpusmill.crawlers.loaders.feed:FeedEntries",
    "reuters": "corpusmill.crawlers.loaders.reuters:Reuters",
    "fhir": "corpusmill.crawlers.loaders.fhir:Fhir",
    "hl7": "corpusmill.crawlers.loaders.hl7:Hl7",
    "gutenberg": "corpusmill.crawlers.loaders.gutenberg:Gutenberg",
    "stackexchange": "corpusmill.crawlers.loaders.stackexchange:StackExchange",
    "mbox": "corpusmill.crawlers.loaders.mbox:Mbox",
    "jats": "corpusmill.crawlers.loaders.jats:Jats",
}
