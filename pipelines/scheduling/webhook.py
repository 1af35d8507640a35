"""Notices of runs, posted as JSON."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from corpusmill.schemas.errors import UsageError

TIMEOUT_S: Final = 10


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without the notice, so a redirect is an error."""

    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect."""


def checked_url(url: str) -> str:
    """Return *url* if a notice can be posted to it.

    Raises:
        UsageError: It is not an http or https URL with a host.
    """
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or any(character.isspace() for character in url):
        raise UsageError(
            "`--webhook`: not an http or https URL", hint="for example `--webhook https://hooks.example.org/nightly`"
        )
    return url


def post(url: str, notice: Mapping[str, Any], *, timeout_s: float = TIMEOUT_S) -> str | None:
    """Post *notice* to *url*, and return what went wrong; None if the answer was 2xx.

    The URL may be a secret, so it is no part of the message.

    Args:
        timeout_s: Limit for the whole request, from the name of the host to the answer.
    """
    problems: list[str | None] = []
    thread = threading.Thread(target=lambda: problems.append(_post(url, notice, timeout_s)), daemon=True)
    thread.start()
    thread.join(timeout_s)  # the timeout of a socket starts again with every byte
    return problems[0] if problems else f"no answer within {timeout_s:g} s"


def _post(url: str, notice: Mapping[str, Any], timeout_s: float) -> str | None:
    headers = {"Content-Type": "application/json", "User-Agent": "corpusmill"}
    try:
        request = urllib.request.Request(url, json.dumps(notice).encode(), headers, method="POST")
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout_s):
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return f"the answer was {error.code}"
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except urllib.error.URLError as error:
        is_timeout = isinstance(error.reason, TimeoutError)
        return f"no answer within {timeout_s:g} s" if is_timeout else f"no connection: {error.reason}"
    except (OSError, HTTPException, ValueError) as error:
        return f"no answer: {type(error).__name__}"
