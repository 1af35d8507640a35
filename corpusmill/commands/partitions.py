"""Options of a crawl that several machines share."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from corpusmill.schemas.errors import UsageError

if TYPE_CHECKING:
    from corpusmill.schemas.partition import Partition, Share


def _partition(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Partition | None:
    """Return the partition that ``--partition`` names.

    Raises:
        UsageError: It is not a partition.
    """
    if text is None:
        return None
    from corpusmill.schemas.partition import Partition
    from corpusmill.schemas.problems import HintedValueError

    try:
        return Partition.parse(text)
    except HintedValueError as error:
        raise UsageError(
            f"`--partition`: {error.message}, got `{text}`",
            hint=f"for example `--partition {error.instead}`",
            field="--partition",
            value=text,
        ) from None


def _seconds(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Return the seconds that ``--wait`` stands for.

    Raises:
        UsageError: It is not a duration.
    """
    if text is None:
        return None
    from corpusmill.schemas.problems import HintedValueError
    from corpusmill.schemas.quantities import parse_duration

    try:
        duration = parse_duration(text)
    except HintedValueError as error:
        message, example = error.message, error.instead
    else:
        if isinstance(duration, timedelta):
            return duration.total_seconds()
        message, example = "expected a duration with an end", None
    raise UsageError(
        f"`--wait`: {message}, got `{text}`", hint=f"for example `--wait {example or '2h'}`", field="--wait", value=text
    )


partition_option = click.option(
    "--partition",
    metavar="I/N",
    callback=_partition,
    help="Only the hosts of partition I of N, such as 2/3; other machines crawl the others.",
)
wait_option = click.option(
    "--wait",
    "wait_s",
    metavar="DURATION",
    callback=_seconds,
    help="With --partition: how long to wait for the other partitions, such as 2h.",
)


def share_of(partition: Partition | None, wait_s: float | None, *, recrawl: bool) -> Share | None:
    """Return what this machine does of a crawl; None if it does all of it.

    Raises:
        UsageError: ``--wait`` without ``--partition``, or ``--recrawl`` with it.
    """
    if partition is not None and recrawl:
        raise UsageError(
            "`--recrawl` cannot be combined with `--partition`",
            hint="leave out `--recrawl`: the partitions fetch all pages; or leave out `--partition`",
            field="--recrawl",
        )
    if partition is None:
        if wait_s is None:
            return None
        raise UsageError("`--wait` has no effect without `--partition`", hint="add `--partition I/N`, or leave it out")
    from corpusmill.schemas.partition import Share

    return Share(partition, wait_s or 0)
