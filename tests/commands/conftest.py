from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from corpusmill.command import main
from corpusmill.pipelines.workspace import Workspace


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "corpus")


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command in an empty folder; return its output and exit code."""
    monkeypatch.chdir(workspace.root.parent)
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*arguments: Any) -> Answer:
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments), "--workspace", str(workspace.root)])
        printed = capsys.readouterr()
        return Answer(int(end.value.code or 0), printed.out, printed.err)

    return run
