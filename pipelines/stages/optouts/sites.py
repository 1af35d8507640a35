"""Judge pages by the files that speak for their whole site: robots.txt, tdmrep.json and ai.txt.

A scan finds these files in the archives, an exchange by host brings them and the pages together, and the verdicts are
written onto the pages. So neither the order of the records nor the division of archives into slices matters. Of several
captures of a file, the latest one counts for all pages of the site, also for those captured earlier: a site that opts
out later leaves the next version. Of each site, one text per file is held in memory, and its pages are streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Scan, Step, resolve
from corpusmill.pipelines.engines.groups import run_starts
from corpusmill.pipelines.stages.identity import captured_us
from corpusmill.pipelines.stages.optouts.page import signals_column
from corpusmill.pipelines.stages.verdicts import DECISION, PLACE_FIELD, decided, living, verdict_step
from corpusmill.schemas.document import TIMESTAMP
from corpusmill.schemas.optout_columns import SIGNALS, SITE_FILE
from corpusmill.schemas.optouts import RULE, SITE_PATHS, Signal, verdict_of
from corpusmill.schemas.urls import authority, canonical_url

LAW: Final = "optouts"
"""Name of this stage in ledger and counts."""
_FILE, _PAGE = 0, 1
_NO_PLACE: Final = -1
MOVED: Final = pa.schema(
    [
        pa.field("host", pa.string(), nullable=False),
        pa.field("role", pa.int32(), nullable=False),
        pa.field("captured", pa.int64(), nullable=False),
        pa.field("record_sha256", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("fetched_at", TIMESTAMP),
        pa.field("body", pa.string()),
        pa.field("source", pa.string()),
        pa.field("url", pa.string()),
        pa.field("optouts", SIGNALS),
        pa.field("text_bytes", pa.int64()),
    ]
)
"""A file of a site (`role` 0), or a page of it (`role` 1). The files of a site come first, the latest one last."""
_ORDER: Final = ("role", "captured", "record_sha256", "path", PLACE)


class Policy(Protocol):
    """The files of one site, which `Loader.site_policy` names."""

    is_silent: bool

    def __init__(self, files: Mapping[str, str]) -> None: ...

    def signals(self, url: str, of_page: Sequence[Signal]) -> list[Signal]:
        """Return the signals for a page of the site."""
        ...


def site_steps(
    name: str, *, of: str, scan: str, policy: str, respected: Mapping[str, Iterable[str]]
) -> tuple[Step, ...]:
    """Return the steps that set aside pages by the files of their sites. The last one is called *name*.

    Args:
        of: The step whose table has the pages.
        scan: Name of the first step, the scan that finds the files.
        policy: ``module:Class`` of the `Policy`.
        respected: Kinds of opt-outs that prevent publication, by source. Pages of other sources are not judged.
    """
    decisions = f"{name}.decisions"
    kinds = {source: tuple(sorted(of_source)) for source, of_source in sorted(respected.items())}
    columns = ("source", "url", "fetched_at", "optouts", "rule", "text_bytes", PLACE)
    return (
        Scan(name=scan, function=ReadSiteFiles(), schema=SITE_FILE),
        Exchange(
            name=decisions,
            inputs=(Input(scan, through=Files()), Input(of, through=Pages(sources=tuple(kinds)), columns=columns)),
            by="host",
            order=_ORDER,
            function=JudgeBySite(policy=policy, respected=kinds),
            moved=MOVED,
            schema=DECISION,
        ),
        verdict_step(name, decisions=decisions, of=of, law=LAW),
    )


class ReadSiteFiles(Function):
    """Reads the site files in slices of raw files. Each row of the input names one slice, as for `stages.read.Read`."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    loader = resolve(row["loader"]).model_validate_json(row["params"])
                    yield from loader.site_files(row["path"], start=row["start"], end=row["end"])

        return run


class Files(Function):
    """Turns `SITE_FILE` rows into `MOVED` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(_files, batches)


def _files(batch: pa.RecordBatch) -> pa.RecordBatch:
    made = {"role": _FILE, "captured": captured_us(batch["fetched_at"]), PLACE: _NO_PLACE}
    return _moved(batch, made)


class Pages(Function):
    """Turns living captures of *sources* whose URL has a host into `MOVED` rows."""

    sources: tuple[str, ...]

    def build(self) -> Callable[[Batches], Batches]:
        sources = pa.array(self.sources, pa.string())

        def run(batches: Batches) -> Batches:
            for batch in batches:
                pages = living(batch)
                hosts = pa.array(map(_host, pages["url"].to_pylist()), pa.string())
                is_page = pc.and_(pc.is_valid(hosts), pc.is_in(pages["source"], sources))
                made = {"host": hosts.filter(is_page), "role": _PAGE, "captured": 0, "record_sha256": "", "path": ""}
                yield _moved(pages.filter(is_page), made)

        return run


def _host(url: str | None) -> str | None:
    """Return host and port of *url*, as in `SITE_FILE`; None if it is not a web address."""
    try:
        return None if url is None else authority(canonical_url(url))
    except ValueError:
        return None


def _moved(batch: pa.RecordBatch, made: Mapping[str, Any]) -> pa.RecordBatch:
    """Return `MOVED` rows with the columns in *made* (arrays, or one value for all rows), else those of *batch*."""
    columns = []
    for field in MOVED:
        value = made.get(field.name)
        if value is None and field.name in batch.schema.names:
            value = batch[field.name]
        is_column = isinstance(value, pa.Array)
        columns.append(value if is_column else pa.repeat(pa.scalar(value, field.type), batch.num_rows))
    return pa.RecordBatch.from_arrays(columns, schema=MOVED)


class JudgeBySite(Function):
    """Decides about pages by the files of their site.

    Args:
        policy: ``module:Class`` of the `Policy`.
        respected: The kinds of opt-outs that count, by source.
    """

    policy: str
    respected: dict[str, tuple[str, ...]]

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `MOVED` rows sorted by (`host`, `role`, `captured`, …)."""
        policy: type[Policy] = resolve(self.policy)
        respected = {source: frozenset(kinds) for source, kinds in self.respected.items()}

        def run(batches: Batches) -> Batches:
            site = _Site("", policy)
            for batch in batches:
                starts = run_starts(batch["host"]).tolist()
                for start, end in zip(starts, [*starts[1:], batch.num_rows], strict=True):
                    rows = batch.slice(start, end - start)
                    if (host := rows["host"][0].as_py()) != site.host:
                        site = _Site(host, policy)
                    yield from site.decisions(rows, respected)

        return run


class _Site:
    """One site, while its rows pass: the latest capture of each of its files, and the policy in them."""

    def __init__(self, host: str, policy: type[Policy]) -> None:
        self.host = host
        self._make = policy
        self._files: dict[str, tuple[str | None, datetime | None]] = {}
        self._policy: Policy | None = None

    def decisions(self, rows: pa.RecordBatch, respected: Mapping[str, frozenset[str]]) -> Batches:
        """Yield the decisions about the pages in *rows*, and remember the files in them."""
        files = rows.filter(pc.equal(rows["role"], _FILE)).select(["path", "body", "fetched_at"])
        for file in files.to_pylist():
            self._files[file["path"]] = (file["body"], file["fetched_at"])
        pages = rows.filter(pc.equal(rows["role"], _PAGE))
        if not pages.num_rows or not self._files:
            return
        if self._policy is None:
            self._policy = self._make({path: body for path, (body, _) in self._files.items() if body is not None})
        if not self._policy.is_silent:
            yield self._judged(self._policy, pages, respected)

    def _judged(self, policy: Policy, pages: pa.RecordBatch, respected: Mapping[str, frozenset[str]]) -> pa.RecordBatch:
        columns = (pages["url"].to_pylist(), pages["source"].to_pylist(), signals_column(pages["optouts"]))
        verdicts = [
            self._verdict(policy.signals(url, of_page), respected[source])
            for url, source, of_page in zip(*columns, strict=True)
        ]
        rules = pa.array([verdict and verdict[0] for verdict in verdicts], pa.string())
        messages = pa.array([verdict and verdict[1] for verdict in verdicts], pa.string())
        return decided(pages, np.asarray(pc.is_valid(rules)), DECISION, rule=rules, message=messages)

    def _verdict(self, signals: Sequence[Signal], respected: frozenset[str]) -> tuple[str, str] | None:
        """Return rule and message, with the time at which the file that decides was captured."""
        verdict = verdict_of(signals, respected, seen_at=None)
        if verdict is None:
            return None
        place = next(signal.place for signal in signals if signal.applies and verdict[0] == RULE + signal.kind)
        path = next(path for path in SITE_PATHS if path[1:] in place)
        return verdict_of(signals, respected, seen_at=self._files[path][1])
