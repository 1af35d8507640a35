"""A line for a crontab."""

from __future__ import annotations

import shlex

from corpusmill.pipelines.scheduling.attempt import command
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.workspace import Workspace


def crontab(schedule: Schedule, workspace: Workspace) -> str:
    """Return the lines that `crontab -e` takes."""
    # cron ends the command at `%` and gives the rest to its standard input.
    line = shlex.join(command(workspace, "schedule", "run", schedule.name, "--quiet")).replace("%", r"\%")
    return (
        f"# corpusmill schedule `{schedule.name}`. Paste this into `crontab -e`.\n"
        "# CRON_TZ is read by cronie. Debian's cron ignores it and uses the time zone of the machine.\n"
        f"CRON_TZ={schedule.timezone}\n"
        f"{schedule.cron} {line}\n"
    )
