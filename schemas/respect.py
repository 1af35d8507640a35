"""The field `respect` of a source: which opt-outs prevent publication."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from corpusmill.schemas.optouts import KINDS, RESPECTED
from corpusmill.schemas.problems import HintedValueError, nearest


def _known_kinds(value: Any) -> Any:
    """Refuse names that are not kinds, and say what the field probably means."""
    names = [value] if isinstance(value, str) and value not in ("all", "none") else value
    unknown = [name for name in names if name not in RESPECTED] if isinstance(names, (list, tuple)) else []
    if names is value and not unknown:
        return tuple(value) if isinstance(value, list) else value
    near = [name if name in RESPECTED else nearest(name, RESPECTED) for name in names]
    known = list(dict.fromkeys(filter(None, near)))
    raise HintedValueError(_problem(unknown), instead=known or "all")


def _problem(unknown: list[Any]) -> str:
    """Return what is wrong with the items *unknown* of a list; without any, it is not a list."""
    if not unknown:
        return "expected a list of kinds, `all` or `none`"
    if isinstance(unknown[0], str) and unknown[0] in KINDS:
        return f"`{unknown[0]}` does not prevent publication"
    return f"not a kind of opt-out (kinds: {', '.join(RESPECTED)})"


KindName: TypeAlias = Annotated[str, Field(json_schema_extra={"enum": list(RESPECTED)})]
Respect: TypeAlias = Annotated[
    Literal["all", "none"] | Annotated[tuple[KindName, ...], Field(min_length=1)], BeforeValidator(_known_kinds)
]
"""The field `respect` of a source."""
RESPECT_DESCRIPTION: Final = (
    "Opt-outs that prevent publication: `all`, `none`, or a list of kinds (see the guide on opt-outs). A change reads "
    "the pages again and fetches nothing."
)
