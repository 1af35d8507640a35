"""The signals of a site's own files for each of its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corpusmill.crawlers.optouts import tdm
from corpusmill.crawlers.optouts.paths import target_of
from corpusmill.crawlers.optouts.robots import AiTxtSignals, RobotsSignals
from corpusmill.schemas.optouts import AI_TXT, ROBOTS, TDMREP, Signal


class SitePolicy:
    """The files of one site (host and port), parsed once for all of its pages.

    Args:
        files: Their texts by path (`schemas.optouts.SITE_PATHS`).

    >>> policy = SitePolicy({"/robots.txt": "User-agent: CCBot\\nDisallow: /a"})
    >>> [signal.kind for signal in policy.signals("https://example.org/a/b", [])], policy.is_silent
    (['agents'], False)
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self._robots = RobotsSignals(files.get(ROBOTS, ""))
        self._ai_txt = AiTxtSignals(files.get(AI_TXT, ""))
        self._tdm = tdm.parse(files.get(TDMREP, ""))
        self.is_silent = self._robots.is_silent and self._ai_txt.is_silent and not self._tdm

    def signals(self, url: str, of_page: Sequence[Signal]) -> list[Signal]:
        """Return the signals for the page at *url*, whose headers and markup have the signals *of_page*.

        A reservation of text and data mining in the page, or an explicit renunciation, overrides that of the site.
        """
        target = target_of(url)
        mining = [] if any(signal.kind == "tdm" for signal in of_page) else tdm.file_signals(self._tdm, target)
        return [*self._robots.of(target), *mining, *self._ai_txt.of(target)]
