"""`explain --batch`: the documents that a training run made a step with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from corpusmill.commands.place import version_place, workspace_of
from corpusmill.schemas.errors import UsageError
from corpusmill.terminal.console import Console
from corpusmill.terminal.figures import plural

_SHOWN: Final = 40
"""Documents that are printed; ``--json`` has all."""


def explain_batch(console: Console, batch: str) -> None:
    """Show the documents of *batch*, ``RUN:STEP``.

    Raises:
        UsageError: There is no such run or step, or its version is not there.
    """
    from corpusmill.training.lineage import documents_of_step

    match = re.fullmatch(r"(.+):(\d+)", batch)
    if match is None:
        raise UsageError(f"a batch is a run and a step, got `{batch}`", hint="for example `--batch small:120`")
    name, step = Path(match[1]), int(match[2])
    run = name if name.exists() else console.workspace / "models" / name
    versions = versions_of_run(console, run)
    explained = documents_of_step(run, step, version_dir=versions, tokens=workspace_of(console).store)
    if console.as_json:
        console.data(explained)
    else:
        console.text(_as_text(explained))


def versions_of_run(console: Console, run: Path) -> list[str]:
    """Return the path or URL of each version that *run* was made on: where the run says it was, or in the workspace.

    Raises:
        UsageError: There is no such run, or one of its versions is not there.
    """
    from corpusmill.schemas.storage import is_url
    from corpusmill.training.checkpoint import find_checkpoint, read_state

    lineage = read_state(find_checkpoint(run))["lineage"]
    places = []
    for one in lineage.get("versions", [lineage]):
        local = (run / one["path"]).resolve()
        if is_url(one["path"]):
            places.append(one["path"])
        elif local.exists():
            places.append(str(local))
        else:
            places.append(version_place(console, f"{one['dataset']}@{one['version']}"))
    return places


def _as_text(explained: dict[str, Any]) -> str:
    documents = [(row, one) for row in explained["rows"] for one in row["documents"]]
    different = len({one["id"] or (one["file"], one["row"]) for _, one in documents})
    rows = plural(len(explained["rows"]), "row")
    lines = [f"step {explained['step']:,} of {explained['run']}: {rows}, {plural(different, 'document')}"]
    for row, one in documents[:_SHOWN]:
        name = one["id"] or f"{one['file']} row {one['row']}"
        last = one["first"] + one["tokens"]
        lines.append(f"  row {row['lane']}  {name}  {row['part']}, tokens {one['first']:,} to {last:,}")
    if len(documents) > _SHOWN:
        lines.append(f"  and {len(documents) - _SHOWN:,} more: see `--json`")
    return "\n".join(lines)
