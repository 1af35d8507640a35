"""A CronJob of Kubernetes, API ``batch/v1``.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/cron-job-v1/
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Final

from corpusmill.pipelines.scheduling.attempt import workspace_options
from corpusmill.pipelines.scheduling.cron import Cron
from corpusmill.pipelines.scheduling.records import Schedule
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.located_yaml import dump_yaml

_MAX_NAME: Final = 52
"""Kubernetes appends 11 characters to the name of a CronJob, and a name has at most 63."""
_IMAGE: Final = "corpusmill:crawl"
"""Built from `docker/Dockerfile`; it runs `corpusmill` with `args`."""
_WORKSPACE: Final = "workspace"
_RECIPE: Final = "recipe"


def cron_job(schedule: Schedule, workspace: Workspace) -> str:
    """Return the manifest for ``kubectl apply -f -``.

    Raises:
        UsageError: Kubernetes reads the expression in another way.
    """
    name = f"corpusmill-{schedule.name.replace('_', '-')}"[:_MAX_NAME].rstrip("-")
    recipe = PurePosixPath(schedule.recipe)
    is_in_workspace = recipe.is_relative_to(workspace.root)
    comments = [
        f"corpusmill schedule `{schedule.name}`. Change the image and the claim to yours, then: kubectl apply -f FILE",
        f"The claim `{name}` holds the workspace {workspace.root}, with schedules.db.",
    ]
    if not is_in_workspace:
        comments.append(f"The recipe: kubectl create configmap {name}-recipe --from-file={recipe}")
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": _kubernetes_expression(schedule.times),
            "timeZone": schedule.timezone,
            "concurrencyPolicy": "Forbid",
            # `schedule run` makes the retries itself.
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": _pod(schedule, workspace, name)}}},
        },
    }
    return "".join(f"# {line}\n" for line in comments) + dump_yaml(manifest)


def _pod(schedule: Schedule, workspace: Workspace, name: str) -> dict[str, Any]:
    recipe = PurePosixPath(schedule.recipe)
    mounts = [{"name": _WORKSPACE, "mountPath": str(workspace.root)}]
    volumes: list[dict[str, Any]] = [{"name": _WORKSPACE, "persistentVolumeClaim": {"claimName": name}}]
    if not recipe.is_relative_to(workspace.root):
        mounts.append({"name": _RECIPE, "mountPath": str(recipe), "subPath": recipe.name})
        volumes.append({"name": _RECIPE, "configMap": {"name": f"{name}-recipe"}})
    container = {
        "name": "corpusmill",
        "image": _IMAGE,
        "args": ["schedule", "run", schedule.name, *workspace_options(workspace)],
        "volumeMounts": mounts,
    }
    return {"restartPolicy": "Never", "containers": [container], "volumes": volumes}


def _kubernetes_expression(times: Cron) -> str:
    """Return the expression as Kubernetes writes it: Sunday is 0, never 7.

    Raises:
        UsageError: One of the two day fields is a step over ``*`` and the other is restricted. Then cron wants both
            days to match, and Kubernetes either one.
    """
    minute, hour, day, month, weekday = times.fields
    if times.values.day_and and "*" not in (day, weekday):
        raise UsageError(
            f"Kubernetes reads `{times.expression}` in another way: it runs on days that match `{day}` or `{weekday}`",
            hint="use `--kind systemd` or `corpusmill schedule serve`, or restrict only one of the two",
        )
    if "7" in weekday:
        weekday = ",".join(str(number) for number in sorted({int(str(n)) % 7 for n in times.values.weekdays}))
    return " ".join((minute, hour, day, month, weekday))
