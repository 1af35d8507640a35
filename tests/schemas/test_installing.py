"""The command in the hint of a missing extra."""

from __future__ import annotations

from pathlib import Path

from corpusmill.schemas.installing import install_command


def test_in_a_checkout_the_command_uses_its_constraints(tmp_path: Path) -> None:
    """The command works in any folder, installs the tested versions, and keeps the installation editable."""
    folder = tmp_path / "my corpusmill"
    folder.mkdir()
    (folder / "constraints.txt").touch()

    assert install_command("s3", folder=folder) == f"pip install -c '{folder}/constraints.txt' -e '{folder}[s3]'"
    assert install_command(folder=folder) == f"pip install -c '{folder}/constraints.txt' -e '{folder}'"


def test_the_default_folder_is_this_checkout() -> None:
    """The package contains links to the folders of the checkout, which must be resolved."""
    root = Path(__file__).parent.parent.parent

    assert install_command("nlp") == f"pip install -c {root}/constraints.txt -e '{root}[nlp]'"
