"""The commands for recurring runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from corpusmill.commands.numbers import NumberRange
from corpusmill.commands.place import workspace_of
from corpusmill.schemas.errors import UsageError
from corpusmill.terminal.console import Console, table
from corpusmill.terminal.figures import moment
from corpusmill.usage import SuggestingGroup

if TYPE_CHECKING:
    from corpusmill.pipelines.scheduling.records import Run, Schedule
    from corpusmill.pipelines.scheduling.table import Table

_KINDS: Final = ("cron", "systemd", "kubernetes")
_YEARS: Final = range(1970, 9000)
_COLUMNS: Final = ["schedule", "due (UTC)", "due times", "status", "exit", "version", "attempts"]
NAME: Final = click.argument("name")


@click.group(cls=SuggestingGroup)
def schedule() -> None:
    """Run recipes at recurring times.

    The table of schedules is in the workspace. `tick` or `serve` runs what is due; `install` prints the files with
    which cron, systemd or Kubernetes does that.
    """


@schedule.command("add")
@NAME
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--cron", required=True, metavar="EXPR", help='Cron expression, such as "0 2 * * MON-FRI" or @daily.')
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="IANA time zone: Europe/Berlin.")
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    metavar="N",
    help="Further attempts after exit code 1 or 5, or a crash; after 10 s, 20 s, 40 s, and so on up to 10 min.",
)
@click.option("--webhook", metavar="URL", help="Post a JSON notice about each run to this URL.")
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="After a successful run, run `gc --keep N`.",
)
@click.pass_obj
def add(console: Console, /, name: str, recipe: Path, **options: Any) -> None:
    """Run RECIPE under NAME whenever the cron expression is due.

    The recipe is checked, but not run. If the day of the month and the day of the week are both restricted, one that
    matches is enough. A time that the clock skips is due at the end of the gap; a time that it repeats is due once;
    with `*` in front of the minute or hour, every matching moment counts.
    """
    from corpusmill.pipelines.scheduling.registering import add_schedule

    workspace, acquisition = workspace_of(console), console.parts["acquisition"]
    added, warnings = add_schedule(workspace, acquisition, name=name, recipe=recipe, **options)
    for warning in warnings:
        console.warn(warning)
    if console.as_json:
        console.data({"status": "added", **_described(added, None)})
    else:
        console.text(f"added {name}: next due {_local(added)}")


@schedule.command("list")
@click.pass_obj
def list_(console: Console) -> None:
    """List the schedules, each with its next due time and its last run."""
    opened = _table(console)
    schedules = opened.schedules()
    if console.as_json:
        for one in schedules:
            console.data(_described(one, opened.last(one.name)))
        return
    rows = [{**_described(one, None), "next": _local(one), **_last(opened.last(one.name))} for one in schedules]
    columns = ["name", "cron", "timezone", "next", "last due (UTC)", "status", "exit", "version", "recipe"]
    console.text(table(rows, columns) if rows else "no schedules yet: `corpusmill schedule add NAME RECIPE` adds one")


@schedule.command()
@click.argument("name", required=False)
@click.pass_obj
def history(console: Console, name: str | None) -> None:
    """List the runs of the schedule NAME, or of all schedules, newest first.

    The newest 1,000 runs of each schedule are kept.
    """
    opened = _table(console)
    if name is not None:
        opened.schedule(name)
    _print_runs(console, opened.history(name), nothing="no runs yet")


@schedule.command()
@NAME
@click.pass_obj
def remove(console: Console, name: str) -> None:
    """Remove the schedule NAME, its history and its logs. Published versions stay."""
    from corpusmill.pipelines.scheduling.registering import remove_schedule

    remove_schedule(workspace_of(console), name)
    if console.as_json:
        console.data({"status": "removed", "name": name})
    else:
        console.text(f"removed {name}")


@schedule.command()
@NAME
@click.pass_obj
def run(console: Console, name: str) -> int:
    """Run the schedule NAME now, whether it is due or not.

    The run stands for all due times until now. A run that was interrupted is resumed instead. Exits like `tick`.
    """
    from corpusmill.pipelines.scheduling.ticking import exit_code, run_schedule

    runs = run_schedule(workspace_of(console), name)
    _print_runs(console, runs, nothing="")
    return exit_code(runs)


@schedule.command()
@click.option("--now", metavar="TIME", help="Time in ISO 8601, in UTC unless it has an offset.  [default: the clock]")
@click.pass_obj
def tick(console: Console, now: str | None) -> int:
    """Run each schedule that is due, once.

    However many due times have passed, one run stands for all of them. A run that was interrupted is resumed first. A
    schedule that is running is left alone. Exits with 0 if all runs succeeded, or else with the exit code of the first
    one that failed, by name of the schedule; 5 if it was killed.
    """
    from corpusmill.pipelines.scheduling.ticking import exit_code
    from corpusmill.pipelines.scheduling.ticking import tick as run_due

    runs: list[Run] = []
    try:
        run_due(workspace_of(console), report=runs.append, now=None if now is None else parse_time(now))
    except BaseException:
        _print_runs(console, runs, nothing="")
        raise
    _print_runs(console, runs, nothing="nothing is due")
    return exit_code(runs)


@schedule.command()
@click.option(
    "--poll", type=NumberRange(0.05, 3600), default=10, show_default=True, metavar="SECONDS", help="Time between ticks."
)
@click.pass_obj
def serve(console: Console, poll: float) -> None:
    """Run schedules when they are due, in the foreground, until SIGINT or SIGTERM.

    Runs of several schedules take turns. A signal stops the current run, which the next start resumes, and exits with
    0. After `kill -9`, the next start resumes the run as well.
    """
    from corpusmill.pipelines.scheduling.ticking import serve as run_all

    console.say(f"serving the schedules of {console.workspace}; Ctrl-C ends this")
    run_all(
        workspace_of(console),
        poll_s=poll,
        report=lambda ended: _print_runs(console, [ended], nothing=""),
        warn=lambda name, error: console.warn(f"schedule `{name}`: {error}"),
    )


@schedule.command()
@NAME
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="Program that runs the schedule.")
@click.pass_obj
def install(console: Console, name: str, kind: str) -> None:
    """Print the file with which cron, systemd or Kubernetes runs the schedule NAME.

    A crontab line, a service and a timer, or a CronJob. Nothing is installed.
    """
    from corpusmill.pipelines.scheduling.install import KINDS

    workspace = workspace_of(console)
    text = KINDS[kind](_table(console).schedule(name), workspace)
    if console.as_json:
        console.data({"name": name, "kind": kind, "text": text})
    else:
        console.text(text.rstrip("\n"))


def parse_time(text: str) -> datetime:
    """Parse a time in ISO 8601; without an offset, it is in UTC.

    Raises:
        UsageError: It is not such a time.

    >>> str(parse_time("2026-03-29T03:00+02:00")), str(parse_time("2026-03-29"))
    ('2026-03-29 01:00:00+00:00', '2026-03-29 00:00:00+00:00')
    """
    try:
        time = datetime.fromisoformat(text.strip())
        time = (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"`--now`: not a time in ISO 8601: `{text}`", hint="for example `--now 2026-03-29T02:00:00+01:00`"
        ) from None
    if time.year not in _YEARS:
        raise UsageError(f"`--now`: {time.year} is not a year from {_YEARS[0]} to {_YEARS[-1]}", hint="check the year")
    return time


def _table(console: Console) -> Table:
    from corpusmill.pipelines.scheduling.table import Table

    return Table(workspace_of(console))


def _described(schedule: Schedule, last: Run | None) -> dict[str, Any]:
    """Return a schedule as ``schedule list --json`` prints it. The URL of the webhook may be a secret."""
    from corpusmill.pipelines.scheduling.records import as_text

    shown = ("due", "status", "exit", "version")
    return {
        "name": schedule.name,
        "recipe": schedule.recipe,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "next": as_text(schedule.next),
        "last": None if last is None else {field: last.as_dict()[field] for field in shown},
        "retries": schedule.retries,
        "keep": schedule.keep,
        "has_webhook": schedule.webhook is not None,
    }


def _last(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {}
    row = run.as_dict()
    return {"last due (UTC)": moment(row["due"]), "status": run.status, "exit": run.exit, "version": run.version}


def _local(schedule: Schedule) -> str:
    """Return the next due time as the clock of the schedule's zone shows it."""
    return f"{schedule.next.astimezone(schedule.times.zone):%Y-%m-%d %H:%M %Z}"


def _print_runs(console: Console, runs: Iterable[Run], *, nothing: str) -> None:
    rows = [run.as_dict() for run in runs]
    if console.as_json:
        for row in rows:
            console.data(row)
    elif rows:
        shown = [
            {"schedule": row["name"], "due (UTC)": moment(row["due"]), "due times": row["missed"], **row}
            for row in rows
        ]
        console.text(table(shown, _COLUMNS))
    elif nothing:
        console.say(nothing)
