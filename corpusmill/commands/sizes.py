"""Options that are sizes in bytes."""

from __future__ import annotations

import click

from corpusmill.schemas.errors import UsageError


def _memory(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Return the bytes that ``--memory`` stands for.

    Raises:
        UsageError: It is not a size.
    """
    if text is None:
        return None
    from corpusmill.schemas.problems import HintedValueError
    from corpusmill.schemas.quantities import parse_size

    try:
        return int(text) if text.isdecimal() else parse_size(text)
    except HintedValueError as error:
        raise UsageError(
            f"`--memory`: {error.message}, got `{text}`", hint=f"for example `--memory {error.instead or '2GB'}`"
        ) from None


memory_option = click.option(
    "--memory",
    "memory_bytes",
    metavar="SIZE",
    callback=_memory,
    help="Memory limit of each worker, such as 2GB.  [default: none]",
)
