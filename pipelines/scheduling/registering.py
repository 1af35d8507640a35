"""Adding and removing schedules. Everything is checked before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.planning.sources import OLD_SHARE, Acquisition
from corpusmill.pipelines.recipes.reading import LoadedRecipe
from corpusmill.pipelines.scheduling.cron import parse_cron
from corpusmill.pipelines.scheduling.folders import remove_files, schedule_lock
from corpusmill.pipelines.scheduling.metrics import write_metrics
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.scheduling.table import Table
from corpusmill.pipelines.scheduling.webhook import checked_url
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.field_types import NAME_PATTERN
from corpusmill.schemas.quantities import format_duration

_LONGEST: Final = 64


def add_schedule(
    workspace: Workspace,
    acquisition: Acquisition,
    *,
    name: str,
    recipe: Path,
    cron: str,
    timezone: str = "UTC",
    retries: int = 0,
    webhook: str | None = None,
    keep: int | None = None,
) -> tuple[Schedule, list[str]]:
    """Store a new schedule, and return it with warnings about the recipe.

    Raises:
        UsageError: The name, the expression, the zone or the URL is not valid, or the name is taken.
        RecipeError: The recipe has problems.
    """
    _refuse_bad_name(name)
    times = parse_cron(cron, timezone)
    loaded = read_recipe(recipe, workspace, acquisition)
    now = datetime.now(UTC)
    following = times.after(now)
    assert following is not None, "an expression that is never due was refused"
    schedule = Schedule(
        name=name,
        recipe=str(recipe.absolute()),
        cron=times.expression,
        timezone=timezone,
        retries=retries,
        webhook=None if webhook is None else checked_url(webhook),
        keep=keep,
        added_at=now,
        next=following,
    )
    workspace.make()
    Table(workspace).add(schedule)
    return schedule, list(_warnings(schedule, loaded))


def remove_schedule(workspace: Workspace, name: str) -> None:
    """Remove the schedule *name*, the record of its runs, and its logs. Versions stay.

    Raises:
        UsageError: There is no such schedule.
        LockHeldError: It is running.
    """
    table = Table(workspace)
    table.schedule(name)
    with schedule_lock(workspace, name):
        table.remove(name)
        remove_files(workspace, name)
    write_metrics(workspace, table)


def _refuse_bad_name(name: str) -> None:
    if re.fullmatch(NAME_PATTERN, name) is None:
        valid = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:_LONGEST]
        hint = "use lower-case letters, digits, `_` and `-`, at most 64 characters"
        raise UsageError(f"not a name for a schedule: `{name}`", hint=f"{hint}: `{valid}`" if valid else hint)


def _warnings(schedule: Schedule, loaded: LoadedRecipe) -> Iterator[str]:
    """Yield a warning for each source that is not acquired again by every run."""
    second = schedule.times.after(schedule.next)
    for source in loaded.recipe.sources:
        if source.refresh is None:
            yield (
                f"source `{source.name}` has no `refresh`, so every run uses what the first run acquired; "
                "add for example `refresh: 12h`"
            )
        elif second is not None and OLD_SHARE * source.refresh > second - schedule.next:
            yield (
                f"source `{source.name}` has `refresh: {format_duration(source.refresh)}`, which is longer than the "
                "time between runs, so some runs will not acquire it again"
            )
