"""The data card of a version: `README.md`, with the front matter that data hubs read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from corpusmill.pipelines.dataset.recorded import are_all_installed, first_on_personal_data, recorded_stages
from corpusmill.pipelines.reports.findings import not_documents
from corpusmill.pipelines.reports.page import stage_params
from corpusmill.pipelines.reports.wording import count, percent, plural, shortened, size

_SIZE_CATEGORIES: Final = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
    (10**10, "1B<n<10B"),
    (10**11, "10B<n<100B"),
    (10**12, "100B<n<1T"),
)
_ROWS: Final = 20
_COLUMNS: Final = {
    "id": "identity of the document: 128 bits of SHA-256 over source and `source_id`, hexadecimal",
    "text": "the text",
    "source": "name of the source in the recipe",
    "source_id": "name of the document in its source: a URL, a path or a native id",
    "content_hash": "hash of the text: 128 bits of SHA-256, hexadecimal",
    "record_sha256": "SHA-256 of the record that the document was made from",
    "split": "train, validation or test",
    "title": "title, if known",
    "url": "URL that the document was fetched from",
    "domain": "registered domain of the URL",
    "language": "detected language",
    "license": "SPDX expression or `LicenseRef-…`; null is unknown",
    "license_source": "evidence for the license",
    "language_score": "confidence of the language, 0 to 1",
    "published_at": "date of publication, if known",
    "fetched_at": "time at which this text was first seen",
    "char_count": "code points",
    "word_count": "words (`\\w+`)",
    "cluster_size": "size of its cluster of near duplicates, including itself",
    "cluster_id": "id of the document that was kept of its near duplicates",
    "metadata": "further data as pairs of key and value, sorted by key; keys are distinct",
}


def write_card(figures: dict[str, Any], folder: Path) -> None:
    """Write the card for *figures* (the result of `statistics`) into *folder*."""
    (folder / "README.md").write_text(card(figures), encoding="utf-8", errors="replace")


def card(figures: dict[str, Any]) -> str:
    """Return the card: the front matter, then the page."""
    front = yaml.safe_dump(front_matter(figures), sort_keys=False, allow_unicode=True, width=120)
    parts = (_summary, _loading, _columns, _making, _sources, _licenses, _personal, _limits, _citation)
    return f"---\n{front}---\n\n" + "\n\n".join(part(figures).strip() for part in parts) + "\n"


def front_matter(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata that hubs read: license, languages, size, and the files of each split.

    Each kind of side file is a configuration. Side files and splits without rows are left out, because Hugging Face
    `datasets` refuses files without rows.
    """
    documents = figures["sizes"]["documents"]
    codes = languages(figures)
    splits = [split["split"] for split in figures["splits"] if split["documents"]]
    configs: list[dict[str, Any]] = []
    if splits:
        files = [{"split": name, "path": f"{name}-*.parquet"} for name in splits]
        configs.append({"config_name": "default", "default": True, "data_files": files})
    configs += [
        {"config_name": kind, "data_files": [{"split": kind, "path": f"{kind}-*.parquet"}]}
        for kind, rows in figures["side_rows"].items()
        if rows
    ]
    return {
        "pretty_name": figures["dataset"],
        **_license_fields(figures),
        **({"language": codes} if codes else {}),
        "size_categories": [next((name for limit, name in _SIZE_CATEGORIES if documents < limit), "n>1T")],
        "task_categories": ["text-generation"],
        "tags": ["corpusmill"],
        "configs": configs,
    }


def license_names(figures: dict[str, Any]) -> list[str]:
    """Return the licenses of published documents, the most frequent first."""
    return [row["name"] for row in figures["licenses"]["expressions"] if row["name"] and not row["is_rest"]]


def _license_fields(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the hub's fields: one id if all documents share a license, otherwise `other` with a name, or `unknown`."""
    names = license_names(figures)
    if not names:
        return {"license": "unknown"}
    if len(names) == 1 and not figures["licenses"]["unknown"] and is_identifier(names[0]):
        return {"license": names[0].lower()}
    return {"license": "other", "license_name": "by-document"}


def is_identifier(name: str) -> bool:
    """Return whether *name* has the form of one SPDX identifier, rather than of an expression.

    >>> is_identifier("CC-BY-4.0"), is_identifier("MIT OR ISC"), is_identifier("LicenseRef-BSD")
    (True, False, False)
    """
    return re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9][A-Za-z0-9.+-]*", name) is not None


def languages(figures: dict[str, Any]) -> list[str]:
    """Return the sorted codes of the languages of published documents."""
    names = (row["name"] for row in figures["languages"] if row["name"] and not row["is_rest"])
    return sorted(name for name in names if re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", name))


def _summary(figures: dict[str, Any]) -> str:
    sizes = figures["sizes"]
    parent = f" The previous version is `{figures['parent']}`." if figures["parent"] else ""
    return f"""# {figures["dataset"]}

Version `{figures["version"]}`, published {figures["created_at"][:10]}.{parent}

{plural(sizes["documents"], "document")}, {size(sizes["text_bytes"])} of text, {count(sizes["words"])} words, made by
[corpusmill](https://github.com/corpusmill/corpusmill) from {plural(sizes["sources"], "source")}.
{
        _records(sizes["read"], sizes["ledger"])
    } The quality report is [report.html](report.html); [report.json](report.json) has the same figures
in machine-readable form.

{
        _table(
            ("split", "documents", "text", "words", "files"),
            [
                (
                    f"`{split['split']}`",
                    count(split["documents"]),
                    size(split["bytes"]),
                    count(split["words"]),
                    plural(split["shards"], "shard"),
                )
                for split in figures["splits"]
            ],
        )
    }

| other files | |
|---|---|
| `ledger-*.parquet` | one row for each record that is not published: rule, value, threshold |
| `signals-*.parquet` | numbers measured on each document; join by `id` |
| `origin-*.parquet` | file and position of each record |
{"".join(_side_table(table) for table in figures["side_tables"])}\
| `manifest.json` | files with their SHA-256, counts, recipe, tool versions |
| `croissant.json` | machine-readable description (Croissant) |"""


def _side_table(table: dict[str, Any]) -> str:
    """Return the table row of a side table that a stage published."""
    columns = ", ".join(f"`{_code(column['name'])}` ({_cell(column['type'])})" for column in table["columns"])
    files = f"`{table['name']}-*.parquet`"
    return f"| {files} | written by the stage `{table['stage']}`, sorted by `id`: {columns} |\n"


def _loading(figures: dict[str, Any]) -> str:
    split = next((split["split"] for split in figures["splits"] if split["documents"]), "train")
    return f"""## How to load it

All shards are Parquet files with the same schema, sorted by `id`.

```python
import pyarrow.dataset as ds
from pathlib import Path

documents = ds.dataset(sorted(map(str, Path(".").glob("{split}-*.parquet"))))
print(documents.head(3, columns=["id", "text"]))
```

```python
import os

from datasets import load_dataset

folder = os.getcwd()  # an absolute path, or the name of a repository on the hub
documents = load_dataset(folder, split="{split}")
some = load_dataset(folder, split="{split}", streaming=True, columns=["id", "text"])
{"".join(_side_loading(figures))}```

```sql
-- DuckDB: the longest documents, rejected records by rule, documents with their signals, one key of the metadata
SELECT id, title, word_count FROM '{split}-*.parquet' ORDER BY word_count DESC LIMIT 10;
SELECT stage, rule, count(*) FROM 'ledger-*.parquet' GROUP BY ALL ORDER BY 3 DESC;
{_join_of_signals(split) if figures["side_rows"].get("signals") else ""}\
SELECT id, map_from_entries(metadata)['authors'] AS authors FROM '{split}-*.parquet' LIMIT 10;
```

To train on rows of packed tokens:

```python
from corpusmill.training.data import PackedDataset

rows = PackedDataset(".", "tokenizer.json", sequence_length=1024, split="{split}")
```"""


def _side_loading(figures: dict[str, Any]) -> Iterator[str]:
    """Yield a line of Python for each configuration of side files."""
    for kind, rows in figures["side_rows"].items():
        if rows:
            yield f'{kind.replace(".", "_")} = load_dataset(folder, "{kind}", split="{kind}")\n'


def _join_of_signals(split: str) -> str:
    return f"SELECT * FROM '{split}-*.parquet' JOIN 'signals-*.parquet' USING (id) LIMIT 10;\n"


def _columns(figures: dict[str, Any]) -> str:
    rows = [
        (f"`{column['name']}`", column["type"], _COLUMNS.get(column["name"], "a view of the text, computed by a stage"))
        for column in figures["columns"]
    ]
    return f"## Columns\n\n{_table(('column', 'type', 'meaning'), rows)}"


def _making(figures: dict[str, Any]) -> str:
    lines = []
    stages = zip(figures["stages"], recorded_stages(figures["stages"]), strict=True)
    for number, (entry, recorded) in enumerate(stages, start=1):
        params = stage_params(entry)
        purpose = (recorded.model and recorded.model.card_line) or "is a stage that is not installed here"
        lines.append(f"{number}. **{recorded.entry.name}** {purpose}{f' (`{_code(params)}`)' if params else ''}.")
    funnel = _table(
        ("stage", "documents in", "documents out", "rejected", "text out"),
        [
            (stage["name"], count(stage["documents_in"]), count(stage["documents_out"]), count(stage["ledger"]),
             size(stage["bytes_out"]))
            for stage in figures["funnel"]
        ],
    )  # fmt: skip
    listed = "\n".join(lines) or "No stage changed or rejected a document."
    return f"""## How it was made

The recipe is [recipe.yaml](recipe.yaml). Its stages, in order:

{listed}

{funnel}

Every record that was read is published or in the ledger. The same recipe on the same input gives the same files, byte
for byte."""


def _records(read: int, ledger: int) -> str:
    """Return how many records were read, and where those are that are not published.

    >>> _records(1, 0), _records(1_200, 1)
    ('1 record was read and published.', '1,200 records were read. 1 is in the ledger, with its reason.')
    """
    if not ledger:
        return f"{plural(read, 'record')} {'was' if read == 1 else 'were'} read and published."
    where = "1 is in the ledger, with its reason" if ledger == 1 else f"{count(ledger)} are in the ledger, with reasons"
    return f"{plural(read, 'record')} {'was' if read == 1 else 'were'} read. {where}."


def _sources(figures: dict[str, Any]) -> str:
    rows = [
        (
            _cell(source["source"]),
            _cell(", ".join(filter(None, (source["kind"], source["format"]))) or "–"),
            count(source["read"]),
            count(source["documents"]),
            size(source["bytes"]),
            _cell(source["license"] or "per document"),
        )
        for source in figures["sources"][:_ROWS]
    ]
    more = len(figures["sources"]) - _ROWS
    note = f"\n\n{more} smaller sources are in `report.json`." if more > 0 else ""
    others = [f"\n\n{finding['text']}" for finding in not_documents(figures)]
    table = _table(("source", "read from", "read", "published", "text", "license"), rows)
    return f"## Sources\n\n{table}{note}{''.join(others)}"


def _licenses(figures: dict[str, Any]) -> str:
    documents = figures["sizes"]["documents"]
    if not documents:
        return "## Licenses\n\nNo document is published."
    rows = [
        (_license(row["name"]), count(row["documents"]), percent(row["documents"] / documents))
        for row in figures["licenses"]["expressions"][:_ROWS]
    ]
    return f"""## Licenses

Each document has its license in `license` and the evidence for it in `license_source`. The data set as a whole has no
single license: select the documents that you may use, for example with `WHERE license IN ('CC0-1.0', 'CC-BY-4.0')`.
Unknown means that no license was found; the document may still be protected.

{_table(("license", "documents", "share"), rows)}"""


def _license(name: str | None) -> str:
    return "unknown" if name is None else f"`{_code(name)}`"


def _personal(figures: dict[str, Any]) -> str:
    heading = "## Personal data\n\n"
    personal = figures["personal_data"]
    stages = recorded_stages(figures["stages"])
    first = first_on_personal_data(stages)
    if first is None or first.personal_data is None:
        if are_all_installed(stages):
            return f"{heading}The recipe does not detect personal data: expect names, addresses and more in the texts."
        return f"{heading}It is unknown whether the recipe detects personal data: not all of its stages are installed."
    rows = [
        (_cell(kind["kind"]), count(kind["items"]), count(kind["published_documents"])) for kind in personal["kinds"]
    ]
    table = f"\n\n{_table(('kind', 'detected', 'published documents with it'), rows)}" if rows else ""
    action = f" (action: `{first.action_on_personal_data}`)" if first.action_on_personal_data else ""
    stage = f"The stage `{first.entry.name}` detects personal data"
    if first.personal_data.is_fixed_form:
        search = (
            f"{stage} that has a fixed form{action}. It does not detect names, places or other facts\n"
            "about people: a document may still be about a person."
        )
    else:
        search = f"{stage}{action}. Detection is incomplete: a document may still be about a person."
    return f"""{heading}{search}
To request the removal of a document, send its URL or its `id` to the publisher.{table}"""


def _limits(figures: dict[str, Any]) -> str:
    sizes = figures["sizes"]
    share = percent(sizes["ledger"] / sizes["read"]) if sizes["read"] else "0 %"
    frequent = [row["name"] or "unknown" for row in figures["languages"][:5]]
    return f"""## Known limits

- Rules rejected {share} of the records. Rules have side effects: short texts, lists, code and dialects are rejected
  more often than news prose. The ledger and the report show what each rule rejected, with examples near its threshold.
- Language, license and date are detected automatically and can be wrong. Most frequent languages:
  {", ".join(map(_cell, frequent)) or "none"}.
- Texts are published as their authors wrote them, including errors and offensive content.
- Deduplication keeps one of several copies; it does not remove sentences that many documents share."""


def _citation(figures: dict[str, Any]) -> str:
    year = figures["created_at"][:4]
    return f"""## How to cite

```bibtex
@misc{{{figures["dataset"]}-{figures["version"]},
  title = {{{figures["dataset"]}, version {figures["version"]}}},
  year = {{{year}}},
  note = {{Made with corpusmill; version id {figures["version"]}}}
}}
```"""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(text: str) -> str:
    """Escape *text* for a cell of a Markdown table."""
    line = shortened(text, 80)
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]<>|#&~" else letter for letter in line)


def _code(text: str) -> str:
    return shortened(text, 200).replace("`", "'").replace("|", "/")
