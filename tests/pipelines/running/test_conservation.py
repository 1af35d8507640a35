"""What went into a stage came out of it or lies in the ledger, in documents and in bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from corpusmill.pipelines.engines.tasks import built
from corpusmill.pipelines.stages.base import TEXT_CUT
from corpusmill.pipelines.stages.pii import Pii
from corpusmill.schemas.errors import ConservationError
from tests.test_promises import run_once


def test_a_run_whose_account_does_not_add_up_fails(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law is checked on what was written: here a stage loses a byte and says nothing."""
    original = Pii.build

    def dishonest(self: Pii) -> Any:
        honest = original(self)

        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            out = honest(batch)
            index = out.schema.get_field_index(TEXT_CUT)
            return out.set_column(index, out.schema.field(index), pc.add(out[TEXT_CUT], 1))

        return transform

    monkeypatch.setattr(Pii, "build", dishonest)
    built.cache_clear()  # functions of earlier runs in this process are honest

    with pytest.raises(ConservationError, match="pii"):
        run_once(project, tmp_path)
    built.cache_clear()
    assert not list((tmp_path / "versions").glob("made/*/manifest.json"))
