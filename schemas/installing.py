"""The command that installs an extra into the running installation of corpusmill."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).resolve().parent.parent
"""Root of the checkout, or the package folder if corpusmill was installed from a wheel."""


def install_command(extra: str | None = None, *, folder: Path = _FOLDER) -> str:
    """Return the command that adds *extra* to the running installation.

    A checkout uses the versions of ``constraints.txt``. For an installed wheel, pip adds the missing packages without
    looking up corpusmill itself on an index.

    >>> install_command("train", folder=Path("/wheel"))
    "pip install 'corpusmill[train]'"
    """
    extras = f"[{extra}]" if extra else ""
    constraints = folder / "constraints.txt"
    if not constraints.is_file():
        return f"pip install {shlex.quote(f'corpusmill{extras}')}"
    return f"pip install -c {shlex.quote(str(constraints))} -e {shlex.quote(f'{folder}{extras}')}"
