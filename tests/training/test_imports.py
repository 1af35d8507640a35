"""What importing the package costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from corpusmill import training


def test_importing_the_package_and_its_configuration_loads_no_heavy_library() -> None:
    """`corpusmill --help` and the check of a configuration must not wait for torch."""
    code = (
        "import sys, corpusmill.training.data, corpusmill.training.config\n"
        "print([name for name in ('torch', 'tokenizers', 'numpy', 'safetensors') if name in sys.modules])"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"


def test_every_promised_name_is_there() -> None:
    """The table of lazy names is strings; a moved function would only be missed by a user."""
    assert all(getattr(training, name) is not None for name in training.__all__)
    assert all(getattr(training.data, name) is not None for name in training.data.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """`hasattr` and star imports rely on it."""
    with pytest.raises(AttributeError, match="no_such_thing"):
        getattr(training, "no_such_thing")  # noqa: B009 - the look-up is what is tested
