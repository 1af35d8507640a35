"""CSS selectors of the elements to read: their validation, and their form in the column `selectors` of a capture."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

SELECTORS: Final = "selectors"
"""Column of a capture with the selectors of its source, as written by `selectors_as_json`; null if there are none."""
SELECT_DESCRIPTION: Final = (
    "CSS selectors of the elements that hold the content: only their content is kept. A page without a match is set "
    "aside as `extract.no_match`. Replaces the `select` of the stage `extract` for this source. A change fetches "
    "nothing; the pages of the source are extracted again."
)
DROP_DESCRIPTION: Final = (
    "CSS selectors of elements to remove first, in addition to the `drop` of the stage `extract`. A change fetches "
    "nothing; the pages of the source are extracted again."
)


def _is_selector(selector: str) -> str:
    from soupsieve import SelectorSyntaxError, compile

    try:
        compile(selector)
    except (SelectorSyntaxError, NotImplementedError) as error:  # raised for pseudo-elements
        reason = re.sub(r"(?<! at) position ", " at position ", str(error).splitlines()[0].lower())
        raise ValueError(f"not a CSS selector: {reason}") from error
    return selector


Selector: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_is_selector)]
"""A CSS selector, as Beautiful Soup (soupsieve) understands it."""


def selectors_as_json(select: Sequence[str], drop: Sequence[str]) -> str | None:
    """Return the value of the column `SELECTORS` for a source; None without selectors.

    >>> selectors_as_json(["main"], [])
    '{"drop":[],"select":["main"]}'
    """
    if not select and not drop:
        return None
    return json.dumps({"select": list(select), "drop": list(drop)}, sort_keys=True, separators=(",", ":"))
