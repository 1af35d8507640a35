"""The next command that `init` prints works, and is the one in the tutorial."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.conftest import Command


@pytest.mark.parametrize(
    ("arguments", "folder", "hint"),
    [
        (["my-corpus"], "my-corpus", "cd my-corpus && corpusmill plan recipe.yaml"),
        (["my corpus"], "my corpus", "cd 'my corpus' && corpusmill plan recipe.yaml"),
        ([], ".", "corpusmill plan recipe.yaml"),
    ],
)
def test_what_comes_next_is_typed_in_the_folder_of_the_recipe(
    command: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str], folder: str, hint: str
) -> None:
    """The workspace is then beside the recipe, as in the tutorial."""
    answer = command("init", *arguments)
    monkeypatch.chdir(Path(folder))

    assert answer.err.splitlines()[-1] == f"next: {hint}"
    assert command("plan", "recipe.yaml").code == 0


def test_the_tutorial_goes_the_same_way() -> None:
    """The output of `init` in the tutorial is checked elsewhere; this checks the commands after it."""
    page = Path(__file__).parents[2] / "docs" / "tutorials" / "your-own-files.md"

    assert "next: cd my-corpus && corpusmill plan recipe.yaml\n" in page.read_text()
    assert "```sh\ncd my-corpus\ncorpusmill plan recipe.yaml\n```" in page.read_text()
