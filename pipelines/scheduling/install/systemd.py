"""A service and a timer of systemd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from corpusmill.pipelines.scheduling.attempt import command
from corpusmill.pipelines.scheduling.cron import Cron
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.workspace import Workspace

_WEEKDAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_SUNDAY: Final = 7
"""Cron's second number for Sunday; the first is 0."""


def units(schedule: Schedule, workspace: Workspace) -> str:
    """Return the texts of the service and the timer, each below a comment with the name of its file."""
    unit = f"corpusmill-{schedule.name}"
    arguments = " ".join(map(_quoted, command(workspace, "schedule", "run", schedule.name, "--quiet")))
    times = "".join(f"OnCalendar={expression}\n" for expression in calendar_expressions(schedule.times))
    return (
        f"# /etc/systemd/system/{unit}.service\n"
        "[Unit]\n"
        f"Description=corpusmill schedule {schedule.name}\n"
        "Wants=network-online.target\n"
        "After=network-online.target\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"ExecStart={arguments}\n"
        "\n"
        f"# /etc/systemd/system/{unit}.timer\n"
        "[Unit]\n"
        f"Description=Timer of the corpusmill schedule {schedule.name}\n"
        "\n"
        "[Timer]\n"
        f"{times}"
        "Persistent=true\n"
        "\n"
        "[Install]\n"
        "WantedBy=timers.target\n"
        "\n"
        f"# Then: systemctl daemon-reload && systemctl enable --now {unit}.timer\n"
    )


def calendar_expressions(times: Cron) -> Iterator[str]:
    """Yield the calendar expressions of systemd for *times*, in its time zone.

    There are two if a day of the month or a day of the week is enough, which one expression cannot say.

    >>> list(calendar_expressions(Cron("30 2 1 * MON-FRI", "Europe/Berlin")))
    ['*-*-01 02:30:00 Europe/Berlin', 'Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Berlin']
    """
    values, (minute, hour, day, month, weekday) = times.values, times.fields
    clock = f"{_listed(values.hours, hour)}:{_listed(values.minutes, minute)}:00 {times.timezone}"
    months, days = _listed(values.months, month), _listed(values.days, day)
    names = ",".join(_WEEKDAYS[number] for number in sorted({int(n) % _SUNDAY for n in _numbers(values.weekdays)}))
    weekdays = "" if weekday == "*" else f"{names} "
    if values.day_and:
        yield f"{weekdays}*-{months}-{days} {clock}"
    else:
        yield f"*-{months}-{days} {clock}"
        yield f"{weekdays}*-{months}-* {clock}"


def _numbers(values: Iterable[int | tuple[int, int]]) -> list[int]:
    """Return the *values* of a field, which are all numbers, because `parse_cron` refuses other forms."""
    return [value for value in values if isinstance(value, int)]


def _listed(values: Iterable[int], field: str) -> str:
    return "*" if field == "*" else ",".join(f"{value:02}" for value in sorted(values))


def _quoted(argument: str) -> str:
    r"""Quote *argument* for ``ExecStart``: systemd expands ``%`` and ``$``, and reads C escapes in double quotes.

    >>> print(_quoted('/data/50% "raw"'), _quoted("run"))
    "/data/50%% \"raw\"" run
    """
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if set(argument) & set(" \t\"'\\;") or not argument else escaped
