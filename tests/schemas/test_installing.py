"""The command in the hint of a missing extra."""

from __future__ import annotations

from pathlib import Path

from corpusmill.schemas.installing import install_command


def test_in_a_checkout_the_command_names_it_and_its_constraints(tmp_path: Path) -> None:
    """Copied in any folder it installs the versions that are tested, and keeps the installation editable."""
    folder = tmp_path / "my corpusmill"
    folder.mkdir()
    (folder / "constraints.txt").touch()

    assert install_command("s3", folder=folder) == f"pip install -c '{folder}/constraints.txt' -e '{folder}[s3]'"
    assert install_command(folder=folder) == f"pip install -c '{folder}/constraints.txt' -e '{folder}'"


def test_this_checkout_is_found() -> None:
    """Through the links of the package, too."""
    root = Path(__file__).parent.parent.parent

    assert install_command("nlp") == f"pip install -c {root}/constraints.txt -e '{root}[nlp]'"
