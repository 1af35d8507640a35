"""The template {{track gauge}}: distances between rails, in millimetres and in feet and inches."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments
from corpusmill.crawlers.readers.wikitext.page import Page

_GAUGES: Final = {
    597: "1 ft 11 1/2 in", 600: "1 ft 11 5/8 in", 610: "2 ft", 750: "2 ft 5 1/2 in", 760: "2 ft 5 15/16 in",
    762: "2 ft 6 in", 891: "2 ft 11 3/32 in", 900: "2 ft 11 7/16 in", 914: "3 ft", 950: "3 ft 1 3/8 in",
    1000: "3 ft 3 3/8 in", 1050: "3 ft 5 11/32 in", 1067: "3 ft 6 in", 1372: "4 ft 6 in", 1435: "4 ft 8 1/2 in",
    1495: "4 ft 10 7/8 in", 1520: "4 ft 11 27/32 in", 1524: "5 ft", 1588: "5 ft 2 1/2 in", 1600: "5 ft 3 in",
    1668: "5 ft 5 21/32 in", 1676: "5 ft 6 in", 2140: "7 ft 1/4 in",
}  # fmt: skip
_NAMES: Final = {"sg": 1435, "standard": 1435, "uk": 1435, "us": 1435, "metre": 1000, "meter": 1000, "ru": 1520,
                 "cape": 1067, "in": 1676, "indian": 1676, "ie": 1600, "ib": 1668, "gwr": 2140}  # fmt: skip
_SEPARATORS: Final = re.compile(r"[\s,]+")
_BY_FEET: Final = {_SEPARATORS.sub("", text): size for size, text in _GAUGES.items()} | {"4ft8.5in": 1435}


def track_gauge(arguments: Arguments, page: Page) -> str:
    """Return a gauge in the unit that the template names, and in the other one; unknown gauges as they are written."""
    text = arguments.get("1", "")
    key = _SEPARATORS.sub("", text).lower()
    feet = _BY_FEET.get(key)
    metric = re.fullmatch(r"(\d{3,4})(?:mm)?", key)
    size = feet or _NAMES.get(key) or (int(metric[1]) if metric else 0)
    if not size:
        return text
    shown = f"{page.language.grouped(str(size))} mm"
    if size not in _GAUGES:
        return shown
    return f"{_GAUGES[size]} ({shown})" if feet else f"{shown} ({_GAUGES[size]})"
