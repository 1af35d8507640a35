"""Conversion of Markdown, reStructuredText and package metadata to readable text."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.front_matter import front_matter
from corpusmill.crawlers.loaders.markdown import Markdown, _between_tags
from corpusmill.crawlers.loaders.package_metadata import PackageMetadata
from corpusmill.crawlers.loaders.restructuredtext import RestructuredText
from tests.crawlers.loaders.reading import rows, samples


def one(loader: Loader, folder: Path, text: str) -> dict[str, object]:
    path = folder / "file"
    path.write_text(dedent(text), encoding="utf-8")
    (row,) = rows(loader, path)
    return row


def test_markdown_becomes_readable_text(tmp_path: Path) -> None:
    """Words are kept, markup is removed, and code is unchanged."""
    row = one(
        Markdown(),
        tmp_path,
        """\
        ---
        title: The *title*
        tags: [a, b]
        draft: true
        deep: {a: {b: c}}
        ---
        # A `heading` &amp; more

        A [link](https://a.example "t"), an ![image](i.png), a
        line <b>broken</b>.

        1. one
           - inner
        2. two

        > quoted

        | a | b |
        |---|---|
        | 1 |   |

        ```python
        if x:  # *not* marked
            pass
        ```

        <div class="x">in <i>HTML</i><!-- not this --></div>
        """,
    )

    assert row["title"] == "The *title*"
    assert row["metadata"] == {"draft": "true", "tags": "a, b"}
    assert row["text"] == dedent(
        """\
        A heading & more

        A link, an image, a
        line broken.

        1. one
          - inner
        2. two

        quoted

        a | b
        1 |\x20

        if x:  # *not* marked
            pass

        in HTML"""
    )


def test_restructuredtext_becomes_readable_text(tmp_path: Path) -> None:
    """References become their text, and directives of Sphinx become their content."""
    row = one(
        RestructuredText(),
        tmp_path,
        """\
        =====
        Title
        =====

        :Author: A. Writer
        :Version: 3

        See `the site <https://a.example>`_, :class:`~a.b.Name` and :doc:`this page <other>`. [1]_

        .. contents::

        Section
        -------

        1. one
        2. two

           more

        .. versionadded:: 2.0
           New words with :ref:`label`.

        .. note:: Mind this.

        .. include:: /etc/passwd

        .. raw:: html

           <b>never</b>

        term
            its meaning

        ::

            code  here

        .. a comment

        .. [1] A footnote.
        """,
    )

    assert row["title"] == "Title"
    assert row["metadata"] == {"author": "A. Writer", "version": "3"}
    assert row["text"] == dedent(
        """\
        Title

        See the site, Name and this page. 1

        Section

        1. one
        2. two

           more

        2.0
        New words with label.

        Mind this.

        term

          its meaning

        code  here

        1

        A footnote."""
    )


def test_a_role_of_one_file_does_not_affect_the_next(tmp_path: Path) -> None:
    """The text must not depend on the files that the worker read before."""
    plain = "Some :shout:`words` here.\n"
    before = one(RestructuredText(), tmp_path, plain)

    one(RestructuredText(), tmp_path, ".. role:: shout(code)\n\n.. default-role:: shout\n\nSome :shout:`words`.\n")

    assert one(RestructuredText(), tmp_path, plain) == before


def test_the_text_does_not_depend_on_the_date(tmp_path: Path) -> None:
    """The same file must be the same document tomorrow."""
    row = one(RestructuredText(), tmp_path, ".. |today| date::\n\nMade on |today|, printed.\n")

    assert "20" not in str(row["text"])


def test_nothing_is_printed_about_bad_markup(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Libraries must not write to the terminal."""
    one(RestructuredText(), tmp_path, "Title\n==\n\n`unclosed *x\n\n.. nonsense::\n\n - a\nb\n")

    assert capfd.readouterr() == ("", "")


def test_plain_values_of_front_matter_keep_their_spelling() -> None:
    """Dates and words such as `yes` are not converted; nested values are dropped."""
    text = "---\ntitle: Notes\ntags: [a, 2, [b]]\ndate: 2024-01-31\ndraft: yes\nby: {k: v}\nkey: !x y\n---\nOne."

    front, body = front_matter(text)

    assert front == {"title": "Notes", "tags": "a, 2", "date": "2024-01-31", "draft": "yes"}
    assert body == "One."


@pytest.mark.parametrize("item", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merged mappings"])
def test_a_yaml_bomb_in_front_matter_takes_no_time(item: str) -> None:
    """Each line multiplies the work by nine; a hostile page must not stall a run."""
    levels = [f"a{n}: &a{n} {item.format(', '.join([f'*a{n - 1}'] * 9))}" for n in range(1, 12)]
    text = "\n".join(["---", "a0: &a0 {k: 1, l: 2}", *levels, "---", "One."])
    start = time.process_time()

    front, body = front_matter(text)

    assert (front, body) == ({}, text)
    assert time.process_time() - start < 2


def test_deep_nesting_is_text_or_an_error(tmp_path: Path) -> None:
    """Hostile markup must not affect other records."""
    quotes = one(Markdown(), tmp_path, ">" * 5000 + " deep")
    lists = one(RestructuredText(), tmp_path, "".join(" " * (2 * i) + f"- a{i}\n\n" for i in range(400)))

    assert quotes["rule"] in {None, "error.empty"}
    assert lists["rule"] in {None, "error.unreadable"}


@pytest.mark.parametrize("unclosed", ["<!--", "<", "<script", "<style ", "a <", "<!-- > "])
def test_unclosed_tags_in_markdown_take_linear_time(tmp_path: Path, unclosed: str) -> None:
    """A page of 80 KB took 15 s, because the end of each was searched to the end of the file."""
    start = time.process_time()

    row = one(Markdown(), tmp_path, "<div>\n" + unclosed * 40_000 + "\n\nOne.")

    assert time.process_time() - start < 2
    assert str(row["text"]).endswith("One.")


MARKUP = ["<", ">", "<!--", "-->", "<script>", "</Script >", "<style", "</style>", "a", "\n"]


@given(st.lists(st.sampled_from(MARKUP)).map("".join))
def test_tags_are_removed_as_by_one_pattern(markup: str) -> None:
    """Linear time must not change a result."""
    tag = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)

    assert "".join(_between_tags(markup)) == tag.sub("", markup)


@pytest.mark.parametrize("unclosed", ["a <![CDATA[", "![", "a ![b] ["])
def test_unclosed_brackets_in_markdown_are_too_complex(tmp_path: Path, unclosed: str) -> None:
    """The parser scans to the end of the paragraph from each of them; it took 10 s for 200 KB."""
    start = time.process_time()

    row = one(Markdown(), tmp_path, unclosed * 20_000)

    assert time.process_time() - start < 4
    assert row["rule"] == "error.too_complex"


def test_a_file_on_which_docutils_fails_is_unreadable(tmp_path: Path) -> None:
    """A substitution that names an undefined one, after its use, ended the run with a KeyError."""
    row = one(RestructuredText(), tmp_path, "Some text. |a|\n\n.. |a| replace:: see |b|\n")

    assert row["rule"] == "error.unreadable"
    assert "KeyError" in str(row["message"])


def doubling(levels: int) -> str:
    lines = [f".. |a{n}| replace:: |a{n - 1}| |a{n - 1}|" for n in range(1, levels + 1)]
    return "\n".join([".. |a0| replace:: x", *lines, "", f"|a{levels}|"])


def test_a_substitution_bomb_is_too_complex(tmp_path: Path) -> None:
    """Each line doubles the work: 525 bytes took 14 s. A few levels are no bomb."""
    start = time.process_time()

    row = one(RestructuredText(), tmp_path, doubling(60))

    assert time.process_time() - start < 2
    assert row["rule"] == "error.too_complex"
    assert one(RestructuredText(), tmp_path, doubling(3))["text"] == " ".join("x" * 8)


def test_a_substitution_that_contains_itself_is_unreadable(tmp_path: Path) -> None:
    """It has no end, and must not hide the size of others."""
    row = one(RestructuredText(), tmp_path, doubling(60) + "\n\n.. |b| replace:: |b|\n")

    assert row["rule"] == "error.unreadable"


@pytest.mark.parametrize("mark", ["*a ", "``a ", "|a ", ":r:`a "])
def test_unclosed_inline_markup_is_too_complex(tmp_path: Path, mark: str) -> None:
    """The end of each is searched to the end of the paragraph; in many short paragraphs that is fast."""
    start = time.process_time()

    row = one(RestructuredText(), tmp_path, mark * 12_000)

    assert time.process_time() - start < 4
    assert row["rule"] == "error.too_complex"
    assert one(RestructuredText(), tmp_path, f"{mark * 10}\n\n" * 50)["rule"] is None


METADATA = """\
Metadata-Version: 2.4
Name: sample
Version: 1.2
Summary: A sample.
Home-page: UNKNOWN
Project-URL: Homepage, https://a.example/
License-Expression: mit
Classifier: License :: OSI Approved :: Apache Software License
Description-Content-Type: {kind}

# Head *line*

Text.
"""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/markdown; charset=UTF-8", "Head line\n\nText."),
        ("text/x-rst", "# Head line\n\nText."),
        ("text/plain", "# Head *line*\n\nText."),
    ],
)
def test_a_description_is_parsed_according_to_its_type(tmp_path: Path, kind: str, text: str) -> None:
    """`Description-Content-Type` names the markup language."""
    row = one(PackageMetadata(), tmp_path, METADATA.format(kind=kind))

    assert row["text"] == text
    assert (row["title"], row["url"]) == ("sample: A sample.", "https://a.example/")
    assert (row["license"], row["license_source"]) == ("MIT", "metadata:License-Expression")
    assert row["metadata"] == {"Name": "sample", "Version": "1.2"}


def test_a_description_in_a_header_is_read(tmp_path: Path) -> None:
    """Before metadata 2.1, the description was an indented header."""
    row = one(
        PackageMetadata(), tmp_path, "Name: a\nLicense: BSD\nDescription: One\n       |===\n       |\n       |Two.\n"
    )

    assert (row["text"], row["license"]) == ("One\n\nTwo.", "LicenseRef-BSD")


def test_metadata_without_a_description_is_set_aside(tmp_path: Path) -> None:
    """A name alone is not a document."""
    assert one(PackageMetadata(), tmp_path, "Name: a\nVersion: 1\n\n")["rule"] == "error.no_text"


@pytest.mark.parametrize(
    ("loader", "folder", "pattern"), [(Markdown(), "markdown", "*.md"), (RestructuredText(), "rest", "*.rst")]
)
def test_every_sample_has_text_and_a_title(loader: Loader, folder: str, pattern: str) -> None:
    """The samples are chapters of a book, proposals and manuals."""
    for path in samples(folder, pattern):
        row = rows(loader, path)[0]
        assert row["rule"] is None
        assert row["title"]
        assert len(row["text"]) > path.stat().st_size * 0.35


FORMS = {
    "yaml": "---\n{}\n---\nOne.",
    "toml": "+++\n{}\n+++\nOne.",
    "json": "{{{}}}\nOne.",
    "fenced json": ";;;\n{{{}}}\n;;;\nOne.",
}


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("yaml", "license: CC BY-SA 4.0\ndate: 2024-01-31T10:00:00+02:00\nauthor: Ann"),
        ("toml", 'license = "CC-BY-SA-4.0"\ndate = 2024-01-31T10:00:00+02:00\nauthor = "Ann"'),
        ("json", '"license": "creativecommons.org/licenses/by-sa/4.0", "date": "2024-01-31 08:00", "author": "Ann"'),
        ("fenced json", '"license": "CC-BY-SA-4.0",\n"date": "2024-01-31T08:00:00Z", "author": "Ann"'),
    ],
)
def test_front_matter_of_every_form_fills_the_columns(tmp_path: Path, form: str, fields: str) -> None:
    """Site generators read three forms; what fills a column leaves the metadata, which says where it stood."""
    row = one(Markdown(), tmp_path, FORMS[form].format(fields))

    assert (row["text"], row["license"], row["license_source"]) == ("One.", "CC-BY-SA-4.0", "front-matter:license")
    assert row["published_at"] == datetime(2024, 1, 31, 8, tzinfo=UTC)
    assert row["metadata"] == {"author": "Ann", "published_at_source": "front-matter:date"}


@pytest.mark.parametrize(
    ("fields", "day", "source"),
    [
        ("published: 2024-01-31", "2024-01-31", "published"),
        ("publishDate: 31 January 2024\ndate: 2020-01-01", "2024-01-31", "publishDate"),
        ("created: 2024-01-31\nlastmod: 2024-03-01", "2024-01-31", "created"),
        ("created-at: Jan 31, 2024", "2024-01-31", "created-at"),
        ("date: {created: 2024-01-31, updated: 2024-03-01}", "2024-01-31", "date.created"),
        ("published: true\ndate: 2024-01-31", "2024-01-31", "date"),
        ("lang: de\ndate: 3.4.2024", "2024-04-03", "date"),
        ("date: 3/4/2024", "2024-03-04", "date"),
        ("lastmod: 2024-03-01\nupdated: 2024-03-01\nmodified: 2024-03-01", None, None),
        ("date: 2098-01-01", None, None),
        ("date: soon", None, None),
    ],
)
def test_a_day_is_read_by_the_rules_for_pages(tmp_path: Path, fields: str, day: str | None, source: str | None) -> None:
    """A change is no publication, a day to come is refused, and the metadata names the field."""
    row = one(Markdown(), tmp_path, FORMS["yaml"].format(fields))

    assert (row["published_at"] and row["published_at"].date().isoformat()) == day  # type: ignore[attr-defined]
    assert row["metadata"].get("published_at_source") == (source and f"front-matter:{source}")  # type: ignore[attr-defined]


def test_a_field_that_fills_no_column_stays_in_the_metadata(tmp_path: Path) -> None:
    """Nothing is lost: neither a license that nobody knows, nor a day that cannot be."""
    row = one(Markdown(), tmp_path, FORMS["yaml"].format("license: [mit, zlib]\ndate: 2098-01-01\nlastmod: 2024-01-31"))

    assert (row["license"], row["license_source"], row["published_at"]) == (None, None, None)
    assert row["metadata"] == {"license": "mit, zlib", "date": "2098-01-01", "lastmod": "2024-01-31"}


@pytest.mark.parametrize(
    "text",
    [
        "---\na: [\n---\nOne.",
        "---\n- a\n---\nOne.",
        "+++\ntitle = \n+++\nOne.",
        "+++\na = " + "[" * 20_000 + "\n+++\nOne.",
        "+++\na = " + "1" * 5_000 + "\n+++\nOne.",
        "+++\na = 0x" + "f" * 5_000 + "\n+++\nOne.",
        "+++\na" + ".a" * 20_000 + " = 1\n+++\nOne.",
        ";;;\n[]\n;;;\nOne.",
        '{"a": 1\nOne.',
        '{"a": 1} One.',
        '{"a": ' + "[" * 20_000 + "\nOne.",
        "---\n" + "a: b\n" * 20_000 + "---\nOne.",
    ],
    ids=range(12),
)
def test_broken_front_matter_stays_in_the_text(tmp_path: Path, text: str) -> None:
    """It is an answer, not a crash, and nothing is lost."""
    row = one(Markdown(), tmp_path, text)

    assert row["rule"] is None
    assert (row["metadata"], row["license"]) == (None, None)
    assert str(row["text"]).endswith("One.")
    assert len(str(row["text"])) > len("One.")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_half_of_a_surrogate_pair_in_front_matter_is_replaced(tmp_path: Path, form: str) -> None:
    """An escape can name it, and no column of text can hold it."""
    row = one(Markdown(), tmp_path, FORMS[form].format('"title": "a\\ud800"' + (', "b": 1' if form == "json" else "")))

    assert row["title"] == "a\ufffd"


@pytest.mark.parametrize(
    ("fields", "license", "day", "source"),
    [
        (":Author: Ann\n:Date: 2024-01-31\n:license: MIT", "MIT", "2024-01-31", "docinfo:date"),
        (":created: 31 January 2024\n:modified: 2024-03-01", None, "2024-01-31", "docinfo:created"),
        (":Copyright: CC BY 4.0\n:Date: $Date: 2024/01/31 20:30:56 $", "CC-BY-4.0", "2024-01-31", "docinfo:date"),
        (":Version: 3", None, None, None),
        (":date: 2098-01-01", None, None, None),
    ],
)
def test_the_fields_of_restructuredtext_fill_the_columns(
    tmp_path: Path, fields: str, license: str | None, day: str | None, source: str | None
) -> None:
    """Those that docutils knows and those that it does not, under a title or without one."""
    for text in (f"{fields}\n\nOne.", f"Title\n=====\n\n{fields}\n\nOne."):
        row = one(RestructuredText(), tmp_path, text)

        assert row["license"] == license
        assert (row["published_at"] and row["published_at"].date().isoformat()) == day  # type: ignore[attr-defined]
        assert row["metadata"].get("published_at_source") == source  # type: ignore[attr-defined]


def test_the_day_on_which_a_proposal_was_created_is_its_day(tmp_path: Path) -> None:
    """PEPs have no colon in front of their fields."""
    row = one(RestructuredText(), tmp_path, "PEP: 1\nTitle: Purpose\nCreated: 13-Jun-2000\n\nOne.\n")

    assert row["published_at"] == datetime(2000, 6, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("loader", "text", "license"),
    [
        (Markdown(), "<!--\nSPDX-License-Identifier: CC-BY-4.0\n-->\n# One", "CC-BY-4.0"),
        (Markdown(), "<!-- SPDX-License-Identifier: MIT -->\nOne", "MIT"),
        (Markdown(), "---\n# SPDX-License-Identifier: MIT\ntitle: a\n---\nOne", "MIT"),
        (RestructuredText(), ".. SPDX-License-Identifier: GPL-2.0\n\nOne", "GPL-2.0-only"),
        (RestructuredText(), ".. One\n   two\n.. SPDX-License-Identifier: MIT\n\nOne", "MIT"),
        (Markdown(), "Write `SPDX-License-Identifier: MIT` at the top.", None),
        (Markdown(), "<!-- a -->\nSPDX-License-Identifier: MIT", None),
        (Markdown(), "<!-- SPDX-License-Identifier: see file -->\nOne", None),
    ],
)
def test_a_first_comment_can_name_the_license(tmp_path: Path, loader: Loader, text: str, license: str | None) -> None:
    """As the Linux kernel and REUSE do; a text about such comments is under no license for that."""
    row = one(loader, tmp_path, text)

    assert (row["license"], row["license_source"]) == (license, license and "comment:SPDX-License-Identifier")
