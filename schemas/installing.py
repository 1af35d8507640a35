"""The command that installs an optional part of corpusmill, as it is installed here."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).resolve().parent.parent
"""The checkout; where corpusmill was installed from a wheel, its package."""


def install_command(extra: str | None = None, *, folder: Path = _FOLDER) -> str:
    """Return the command that adds *extra* to the installation that runs.

    In a checkout these are the versions of ``constraints.txt``. pip adds what is missing to an installed wheel without
    asking an index for corpusmill itself.

    >>> install_command("train", folder=Path("/wheel"))
    "pip install 'corpusmill[train]'"
    """
    extras = f"[{extra}]" if extra else ""
    constraints = folder / "constraints.txt"
    if not constraints.is_file():
        return f"pip install {shlex.quote(f'corpusmill{extras}')}"
    return f"pip install -c {shlex.quote(str(constraints))} -e {shlex.quote(f'{folder}{extras}')}"
