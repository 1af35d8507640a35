"""Books of Project Gutenberg: nothing of the project is left, and nothing of the book is missing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from corpusmill.crawlers.loaders.gutenberg import FREE, Gutenberg
from corpusmill.crawlers.readers.gutenberg import book_of
from tests.crawlers.loaders.reading import Row, rows, samples

BOOK = """THE LAMP

by A. Writer


CHAPTER I

Gutenberg printed in Mainz.  "Produced by hand," she said.

  A verse
    stays indented,

and the End of Project X was near."""
NEW_HEADER = """The Project Gutenberg eBook of The Lamp, by A. Writer

This eBook is for the use of anyone anywhere in the United States and
most other parts of the world at no cost and with almost no restrictions
whatsoever.

Title: The Lamp
       or, Light

Author: A. Writer

Release Date: May 3, 2004 [EBook #1234]

Language: French

Character set encoding: ISO-8859-1

*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***




Produced by Ann Volunteer, Ben Volunteer and the Online
Distributed Proofreading Team at https://www.pgdp.net (This
file was produced from images generously made available by
The Internet Archive)



"""
NEW_END = """




End of the Project Gutenberg EBook of The Lamp, by A. Writer

*** END OF THE PROJECT GUTENBERG EBOOK THE LAMP ***

***** This file should be named 1234.txt or 1234.zip *****
Section 5.  General Information About Project Gutenberg-tm
"""
OLD_HEADER = """**The Project Gutenberg Etext of The Lamp, by A. Writer**
#3 in our series by A. Writer

Copyright laws are changing all over the world.

July, 1997  [Etext #977]

*****This file should be named lamp10.txt or lamp10.zip******

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
like most PROJECT GUTENBERG-tm etexts, is a "public domain" work
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*





This etext was prepared by Ann Volunteer <ann@example.org>
and proofread by Ben Volunteer.

"""
OLD_END = "\n\n\n\n\nEnd of The Project Gutenberg Etext of The Lamp, by A. Writer\n\n"
BOILERPLATE = re.compile(
    r"project gutenberg|volunteer|etext|distributed proof|wiretap|small print|\*\*\*", re.IGNORECASE
)


def read(folder: Path, content: str | bytes, *, name: str = "book.txt", loader: Gutenberg | None = None) -> Row:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (row,) = rows(loader or Gutenberg(), path, name=name)
    return row


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(("header", "end"), [(NEW_HEADER, NEW_END), (OLD_HEADER, OLD_END)], ids=["new", "old"])
def test_the_book_alone_is_left(tmp_path: Path, header: str, end: str, newline: str) -> None:
    row = read(tmp_path, (header + BOOK + end).replace("\n", newline))

    assert row["text"] == BOOK


def test_the_header_describes_the_book(tmp_path: Path) -> None:
    new, old = read(tmp_path, NEW_HEADER + BOOK + NEW_END), read(tmp_path, OLD_HEADER + BOOK + OLD_END)

    assert (new["source_id"], new["title"], new["license"]) == ("1234", "The Lamp or, Light", FREE)
    assert new["metadata"] == {"author": "A. Writer", "language": "fr", "gutenberg_id": "1234"}
    assert new["published_at"] == datetime(2004, 5, 3, tzinfo=UTC)
    assert (old["source_id"], old["title"], old["license"]) == ("977", "The Lamp", FREE)
    assert old["metadata"]["author"] == "A. Writer"


def test_a_book_under_copyright_has_no_license_of_its_own(tmp_path: Path) -> None:
    header = NEW_HEADER.replace("Title:", "This is a COPYRIGHTED Project Gutenberg eBook.\n\nTitle:")

    assert read(tmp_path, header + BOOK + NEW_END)["license"] is None


def test_the_declared_encoding_is_read(tmp_path: Path) -> None:
    row = read(tmp_path, (NEW_HEADER + BOOK + " Où ça?" + NEW_END).encode("latin-1"))

    assert row["text"].endswith("Où ça?")


def test_notes_of_transcribers_are_a_choice(tmp_path: Path) -> None:
    note = "[Transcriber's Note: spelling was not changed.]\n\n"
    late = "\n\nTranscriber's Notes\n\nPage 4 has no number."
    content = NEW_HEADER + note + BOOK + late + NEW_END

    kept = read(tmp_path, content, loader=Gutenberg(keep=("transcriber_notes",)))

    assert read(tmp_path, content)["text"] == BOOK
    assert kept["text"] == note + BOOK + late


NOTES = [
    "Transcriber's note:\n\n      Text in italics has _underscores_.\n\n      The second line.\n\n\n\n",
    "[Transcriber's Notes:\n\n1. One.\n\n2. Two.]\n\n\n\n",
    "+-----------------------+\n| Transcriber's Note    |\n|                  |\n| Teh is the. |\n+------+\n\n\n\n",
    "Anmerkungen zur Transkription:\n\nDie Schreibweise blieb.\n\n\n\n",
    "This Etext is in German.\n\nWe are releasing two versions of this Etext, one in 7-bit format.\n\n",
    "This etext was produced by Ann Volunteer, ann@example.org.\n\n",
    "{Transcriber's Note:\nMaterial of the transcriber is in braces.}\n\n",
    'This text has been derived from HTML files at "Projekt Gutenberg - DE"\n(http://www.example.org).\n\n',
    "Thanks to the Internet Archive for the scans.\n\n",
    'Produced by "Aloysius", and Ann de Volunteer.\n\n',
]


@pytest.mark.parametrize("note", NOTES)
def test_long_notes_are_removed_whole_at_both_ends(tmp_path: Path, note: str) -> None:
    content = NEW_HEADER + note + BOOK + "\n\n\n" + note + NEW_END

    assert read(tmp_path, content)["text"] == BOOK


def test_a_long_list_of_corrections_and_bookmarks_of_the_editor_are_removed(tmp_path: Path) -> None:
    changes = "\n\n".join(f'Page {page}, "teh" changed to "the"' for page in range(40))
    late = f"\n\n\nETEXT EDITOR'S BOOKMARKS:\n\nA lamp is light\n\n\n\nTranscriber's Notes:\n\n{changes}"

    assert read(tmp_path, NEW_HEADER + BOOK + late + NEW_END)["text"] == BOOK


def test_sentences_of_the_book_that_look_like_additions_stay(tmp_path: Path) -> None:
    book = "THE LAMP\n\nProduced by long toil, it shone.\n\nThe End of the Project Gutenberg was near.\n\nTHE END"

    for header, end in ((NEW_HEADER, NEW_END), (OLD_HEADER, OLD_END)):
        assert read(tmp_path, header + book + end)["text"] == book


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("*** START OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK X ***", "*** END OF THE COPYRIGHTED PROJECT GUTENBERG"),
        (
            "***START OF THIS PROJECT GUTENBERG EBOOK X***",
            "Fin du Projet Gutenberg de X\n\n***END OF THE PROJECT GUTENBERG",
        ),
        ("*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.10/04/01*END*", "Ende dieses Project Gutenberg Etextes X"),
    ],
)
def test_other_marks_are_recognized(tmp_path: Path, start: str, end: str) -> None:
    row = read(tmp_path, f"The Project Gutenberg EBook of X\n\n{start}\n\n{BOOK}\n\n\n{end} X\n")

    assert row["text"] == BOOK
    assert row["license"] == (FREE if "PUBLIC DOMAIN" in start else None)


def test_a_book_that_the_catalog_calls_copyrighted_is_not_free(tmp_path: Path) -> None:
    """The header of such a book says the same as that of a free one."""
    (tmp_path / "metadata.yaml").write_text("identifiers: {gutenberg: '1234'}\nrights: Copyrighted. Read the notice.\n")

    assert read(tmp_path, NEW_HEADER + BOOK + NEW_END)["license"] is None


def test_the_catalog_entry_beside_the_file_is_read_and_part_of_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "pg977.rdf").write_text(
        """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dcterms="http://purl.org/dc/terms/"
        xmlns:pgterms="http://www.gutenberg.org/2009/pgterms/"><pgterms:ebook rdf:about="ebooks/977">
        <dcterms:title>The Lamp: A Tale</dcterms:title><dcterms:rights>Public domain in the USA.</dcterms:rights>
        <dcterms:creator><pgterms:agent><pgterms:name>Writer, A.</pgterms:name></pgterms:agent></dcterms:creator>
        <dcterms:language><rdf:Description><rdf:value>en</rdf:value></rdf:Description></dcterms:language>
        <dcterms:issued>1997-07-01</dcterms:issued></pgterms:ebook></rdf:RDF>"""
    )

    row = read(tmp_path, OLD_HEADER + BOOK + OLD_END, name="977.txt")

    assert (row["title"], row["license_source"]) == ("The Lamp: A Tale", "gutenberg:catalog")
    assert row["metadata"] == {"author": "Writer, A.", "language": "en", "gutenberg_id": "977"}
    assert Gutenberg().companions(str(tmp_path / "977.txt")) == (str(tmp_path / "pg977.rdf"),)


def test_tables_and_repositories_describe_their_books(tmp_path: Path) -> None:
    (tmp_path / "pg_catalog.csv").write_text(
        'Text#,Type,Issued,Title,Language,Authors\n977,Text,1997-07-01,"The Lamp\nA Tale",en,"Writer, A."\n'
    )
    assert read(tmp_path, OLD_HEADER + BOOK + OLD_END)["title"] == "The Lamp A Tale"

    (tmp_path / "metadata.yaml").write_text(
        "title: From here\nidentifiers: {gutenberg: '977'}\nsubjects: [!lcsh 'A']\n"
    )
    assert read(tmp_path, OLD_HEADER + BOOK + OLD_END)["title"] == "From here"
    assert read(tmp_path, NEW_HEADER + BOOK + NEW_END)["title"] == "The Lamp or, Light", "it describes another book"


def test_an_html_edition_is_read(tmp_path: Path) -> None:
    page = f"<html><body><pre>{NEW_HEADER}</pre><h1>THE LAMP</h1><p>One</p><pre>{NEW_END}</pre></body></html>"

    assert read(tmp_path, page, name="1234-h.htm")["text"] == "THE LAMP\n\nOne"


def test_an_html_edition_of_today_is_read(tmp_path: Path) -> None:
    page = """<!DOCTYPE html><html lang="en"><head><title>The Lamp | Project Gutenberg</title></head><body>
    <section class="pg-boilerplate pgheader" id="pg-header" lang="en"><h2>The <span>Project Gutenberg eBook</span> of
    <span id="pg-title-no-subtitle">The Lamp</span></h2><div>This ebook is for the use of anyone anywhere in the United
    States at no cost and with almost no restrictions.</div><div id="pg-machine-header"><p><strong>Title</strong>: The
    Lamp</p><p><strong>Author</strong>: A. Writer</p><p><strong>Release date</strong>: May 3, 2004 [eBook #1234]<br>
    Most recently updated: 2024</p><p><strong>Language</strong>: French</p><p><strong>Credits</strong>: Ann</p></div>
    <div id="pg-start-separator"><span>*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP ***</span></div></section>
    <h1>THE LAMP</h1><p><span class="pagenum"><a id="p3">[Pg 3]</a></span>One</p><div class="transnote"><p>Transcriber's
    Note:</p><p>Spelling was kept.</p></div><section class="pg-boilerplate" id="pg-footer"><div><span>
    *** END OF THE PROJECT GUTENBERG EBOOK THE LAMP ***</span></div><div>Updated</div></section></body></html>"""

    row = read(tmp_path, page, name="pg1234-images.html")

    assert row["text"] == "THE LAMP\n\nOne"
    assert (row["source_id"], row["title"], row["license"]) == ("1234", "The Lamp", FREE)
    assert row["metadata"] == {"author": "A. Writer", "language": "fr", "gutenberg_id": "1234"}
    assert row["published_at"] == datetime(2004, 5, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("A text of something else.\n", "error.wrong_format"),
        (NEW_HEADER + NEW_END, "error.no_text"),
        ("", "error.empty"),
    ],
)
def test_what_is_no_book_is_set_aside(tmp_path: Path, content: str, rule: str) -> None:
    assert read(tmp_path, content)["rule"] == rule


def test_hostile_headers_take_no_time(tmp_path: Path) -> None:
    """The patterns must not backtrack over long lines of blanks, stars or words."""
    for filler in (" ", "*", "End of ", "Produced by and ", "\n \n"):
        assert book_of("The Project Gutenberg Etext of X\n" + filler * (400_000 // len(filler))) is not None


def test_a_real_book_of_both_eras_has_no_line_of_the_project() -> None:
    new, old = (rows(Gutenberg(), path, name=path.name)[0]["text"] for path in samples("gutenberg", "*.txt"))

    for text in (new, old):
        assert not [line for line in text.split("\n") if BOILERPLATE.search(line)]
        assert "AUTHOR'S PREFACE" in text
        assert text.endswith("that the domestic cow sheds its horn every two years.")
        assert len(text) > 360_000
