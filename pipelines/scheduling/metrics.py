"""Figures of all schedules for Prometheus: ``schedules/metrics.prom``, which node_exporter's textfile collector reads.

https://github.com/prometheus/node_exporter#textfile-collector; the format is
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from corpusmill.pipelines.scheduling.folders import SCHEDULES, schedules_store
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.scheduling.table import Table
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.storage import file_lock

FILE: Final = "metrics.prom"
_LOCK_WAIT_S: Final = 10
_METRICS: Final = {
    "last_success_timestamp_seconds": ("gauge", "End of the last successful run, in seconds since 1970."),
    "last_exit_code": ("gauge", "Exit code of the last run that ended."),
    "last_duration_seconds": ("gauge", "Duration of the last run that ended, with all its attempts."),
    "documents": ("gauge", "Documents that the last successful run published."),
    "next_due_timestamp_seconds": ("gauge", "The first due time that no run stands for, in seconds since 1970."),
    "runs_total": ("counter", "Runs that ended, by status."),
}


def write_metrics(workspace: Workspace, table: Table) -> None:
    """Write the figures of all schedules to ``schedules/metrics.prom``; readers never see half of it.

    Raises:
        UnfinishedError: The folder cannot be written.
    """
    lock = workspace.root / SCHEDULES / ".metrics.lock"
    with file_lock(lock, subject="the file of metrics", wait_s=_LOCK_WAIT_S):  # an older state must not be written last
        schedules_store(workspace).write(FILE, metrics_text(table))


def metrics_text(table: Table) -> str:
    """Return the figures of all schedules."""
    samples: dict[str, list[str]] = {name: [] for name in _METRICS}
    for schedule in table.schedules():
        for name, labels, value in _samples(schedule, table):
            samples[name].append(f"corpusmill_schedule_{name}{_labels(labels)} {value}")
    lines = []
    for name, (kind, meaning) in _METRICS.items():
        if samples[name]:
            full = f"corpusmill_schedule_{name}"
            lines += [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}", *samples[name]]
    return "".join(f"{line}\n" for line in lines)


def _samples(schedule: Schedule, table: Table) -> Iterator[tuple[str, Mapping[str, str], float | int]]:
    label = {"schedule": schedule.name}
    yield "next_due_timestamp_seconds", label, int(schedule.next.timestamp())
    last, success = table.last_ended(schedule.name), table.last_success(schedule.name)
    if last is not None and last.ended_at is not None and last.exit is not None:
        yield "last_exit_code", label, last.exit
        yield "last_duration_seconds", label, round((last.ended_at - last.started_at).total_seconds(), 3)
    if success is not None and success.ended_at is not None:
        yield "last_success_timestamp_seconds", label, round(success.ended_at.timestamp(), 3)
        if success.documents is not None:
            yield "documents", label, success.documents
    for status, number in table.totals(schedule.name).items():
        yield "runs_total", {**label, "status": status}, number


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
