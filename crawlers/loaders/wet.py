"""WET files of Common Crawl: the texts of pages."""

from __future__ import annotations

from typing import ClassVar

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.loaders.warc import Warc


class Wet(Warc):
    """Texts of pages in WET files: the conversion records of web archives, unchanged.

    The languages that the crawler identified are in the metadata, under `language`. Other records are read or counted
    as those of `warc`.
    """

    suffixes: ClassVar[tuple[str, ...]] = packed(".warc.wet", ".wet")
    about: ClassVar[About] = About(
        license="`license` in the recipe: the text has lost the links of its page.",
        get="Common Crawl, at commoncrawl.org: each crawl lists its files in wet.paths.gz.",
        tried="A sample of Common Crawl, plain and compressed.",
    )
