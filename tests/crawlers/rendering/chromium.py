"""Skip tests where there is no Chromium."""

from __future__ import annotations

import pytest

from corpusmill.crawlers.rendering.browser import check_browser
from corpusmill.schemas.errors import UsageError


def _missing() -> str | None:
    try:
        check_browser()
    except UsageError as error:
        return str(error)
    return None


_REASON = _missing()
NEEDS_CHROMIUM = pytest.mark.skipif(_REASON is not None, reason=_REASON or "Chromium is installed")
