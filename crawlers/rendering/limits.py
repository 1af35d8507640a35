"""Limits on the scripts of pages. They are not part of a recipe."""

from __future__ import annotations

from typing import Final

PAGE_TIMEOUT_S: Final = 30.0
"""Time that a page may take to render. While it waits for responses, which have limits of their own, no time counts."""
QUIET_S: Final = 0.5
"""A page is finished when it has loaded and waited for no response for this time."""
ANSWER_S: Final = 5.0
"""Time in which the browser must answer: to open a page, to return its markup, or to close it."""
MAX_REQUESTS: Final = 100
"""Requests of one page that are answered."""
MAX_REFUSALS: Final = 100
"""Refused requests of one page that are recorded."""
MAX_REDIRECTS: Final = 5
"""Redirects of a request of a script that are followed."""
CACHED_BYTES: Final = 64_000_000
"""Responses to requests of scripts that are kept in memory, so that a script of many pages is fetched once."""
PARALLEL_PAGES: Final = 4
"""Pages, of different hosts, that are rendered at the same time."""
PAGES_PER_BROWSER: Final = 200
"""Pages after which the browser is restarted, because its memory grows."""
RENDERER_BYTES: Final = 1_000_000_000
"""Memory of the process of a page above which it is ended."""
