"""The Iceberg catalog of a workspace: an index of its versions for other tools, made from the manifests.

One table a data set, one snapshot a publication, tagged ``v-<n>-<version id>`` by its place in the history. The catalog
may be thrown away at any time: `rebuild` makes it again from what lies in ``versions/``.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq

from pipelines.dataset import publications
from pipelines.dataset.publications import read_manifest
from pipelines.workspace import Workspace

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

NAMESPACE: Final = "corpusmill"
_FOLDER: Final = "catalog"

_log = logging.getLogger(__name__)


def open_catalog(workspace: Workspace) -> SqlCatalog:
    """Open the catalog in the workspace's database; made when it is not there."""
    with _quiet():
        from pyiceberg.catalog.sql import SqlCatalog

        catalog = SqlCatalog(
            NAMESPACE,
            uri=f"sqlite:///{workspace.database.absolute()}",
            warehouse=f"file://{(workspace.root / _FOLDER).absolute()}",
        )
        catalog.create_namespace_if_not_exists(NAMESPACE)
    return catalog


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what libraries below warn about: the user can do nothing about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def index_version(workspace: Workspace, folder: Path) -> bool:
    """Add the publication of the version in *folder*; give False when the index could not be written.

    The manifest stays the truth, so a broken index is told and does not fail the run.
    """
    try:
        with _quiet(), contextlib.closing(open_catalog(workspace)) as catalog:
            _publish(catalog, folder, number=len(publications.publications(folder.parent)))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the index, the version is published
        _log.warning("the catalog could not be written: `corpusmill doctor --repair` makes it again (%s)", error)
        return False
    return True


def _publish(catalog: SqlCatalog, folder: Path, *, number: int) -> None:
    manifest = read_manifest(folder)
    paths = [str((folder / shard.path).absolute()) for shard in manifest.files]
    schema = pq.read_schema(paths[0])
    identifier = (NAMESPACE, manifest.dataset)
    table = catalog.create_table_if_not_exists(identifier, schema=schema)
    tag = f"v-{number}-{manifest.version}"
    if tag in table.refs():
        return
    with table.update_schema() as update:
        update.union_by_name(schema)
    with table.transaction() as transaction:
        if table.current_snapshot() is not None:
            transaction.delete("id is not null")
        transaction.add_files(paths, check_duplicate_files=False)
    _tag(table.refresh(), tag)


def _tag(table: Table, tag: str) -> None:
    snapshot = table.current_snapshot()
    if snapshot is not None:
        table.manage_snapshots().create_tag(snapshot.snapshot_id, tag).commit()


def rebuild(workspace: Workspace) -> int:
    """Make the catalog again from the versions that lie in the workspace; give the number of publications."""
    with _quiet(), contextlib.closing(open_catalog(workspace)) as catalog:
        for identifier in catalog.list_tables(NAMESPACE):
            catalog.drop_table(identifier)
        shutil.rmtree(workspace.root / _FOLDER, ignore_errors=True)
        total = 0
        for dataset in sorted(path for path in workspace.versions.glob("*") if path.is_dir()):
            for number, entry in enumerate(publications.publications(dataset), start=1):
                _publish(catalog, dataset / entry["version"], number=number)
                total += 1
    return total
