"""Files that make cron, systemd or Kubernetes run a schedule, as text for standard output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from corpusmill.pipelines.scheduling.install.crontab import crontab
from corpusmill.pipelines.scheduling.install.kubernetes import cron_job
from corpusmill.pipelines.scheduling.install.systemd import units
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.workspace import Workspace

KINDS: Final[dict[str, Callable[[Schedule, Workspace], str]]] = {
    "cron": crontab,
    "systemd": units,
    "kubernetes": cron_job,
}
"""The text of each kind, for a schedule of a workspace."""
