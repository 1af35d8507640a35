"""Keep pyarrow from importing pandas, which takes 0.3 s of CPU: as much as `dedup` takes for 2,000 documents."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

import pyarrow as pa


class _NoPandas:
    """An import hook under which pandas is not installed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Refuse pandas; other hooks look for everything else.

        Raises:
            ImportError: *name* is pandas.
        """
        if name == "pandas":
            raise ImportError("pyarrow is not to use pandas in this process", name=name)


def do_without_pandas() -> None:
    """Let pyarrow decide now, and for the rest of the process, that there is no pandas.

    pyarrow imports pandas, where it is installed, at the first conversion of anything to an array, to recognize pandas
    objects. Call this function at the start of a process that has none, before the modules that make arrays are
    imported. Afterwards `pyarrow.Table.to_pandas` raises ImportError; `import pandas` works as before. If pandas or
    these modules are already imported, the function does nothing.
    """
    if "pandas" in sys.modules:
        return
    hook = _NoPandas()
    sys.meta_path.insert(0, hook)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(hook)
