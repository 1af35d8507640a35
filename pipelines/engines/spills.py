"""Temporary: the interface of the external sort over the old one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from corpusmill.pipelines.engines import runs
from corpusmill.pipelines.engines.runs import Order as Order


@dataclass
class Written:
    rows: int
    bytes: int


def write_spills(batches, schema, order, *, prefix):
    prefix.parent.mkdir(parents=True, exist_ok=True)
    rs = runs.write_runs(batches, schema, order, prefix=prefix)
    prefix.with_name(prefix.name + ".index").write_text(json.dumps([runs.run_as_json(r) for r in rs]))
    return Written(sum(b - a for r in rs for a, b in r.segments.values()), sum(Path(r.path).stat().st_size for r in rs))


def merged(folder, partition, order):
    rs = [runs.run_from_json(r) for p in sorted(folder.glob("*.index")) for r in json.loads(p.read_text())]
    return runs.merged(rs, partition, order)
