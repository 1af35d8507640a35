"""`init` as a user meets it: what it says comes next works, and is what the tutorial says."""

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
    """There the workspace lies beside the recipe, as in the tutorial."""
    answer = command("init", *arguments)
    monkeypatch.chdir(Path(folder))

    assert answer.err.splitlines()[-1] == f"next: {hint}"
    assert command("plan", "recipe.yaml").code == 0


def test_the_tutorial_goes_the_same_way() -> None:
    """What `init` prints there is checked with the other outputs; the commands after it are these."""
    page = Path(__file__).parents[2] / "docs" / "tutorials" / "your-own-files.md"

    assert "next: cd my-corpus && corpusmill plan recipe.yaml\n" in page.read_text()
    assert "```sh\ncd my-corpus\ncorpusmill plan recipe.yaml\n```" in page.read_text()
