"""The text of PDF files: columns, paragraphs, hyphens, and what is no text of the document."""

from __future__ import annotations

from corpusmill.crawlers.readers.pdf.document import read
from tests.crawlers.loaders.pdf.making import HEIGHT, column, operators, pdf

LEFT = [f"left line {number} speaks of rivers and of the sand" for number in range(1, 9)]
RIGHT = [f"right line {number} speaks of hills and of the clay" for number in range(1, 9)]


def text_of(*pages: list[tuple[float, float, float, str]] | bytes) -> str:
    return read(pdf(pages))["text"]


def in_order(text: str, *parts: str) -> bool:
    places = [text.find(part) for part in parts]
    assert min(places) >= 0, (parts[places.index(min(places))], text)
    return places == sorted(places)


def test_columns_are_read_one_after_the_other_below_a_title_over_both() -> None:
    """Also if the file prints them line by line, as some programs do."""
    rows = [piece for pair in zip(column(LEFT), column(RIGHT, x=310), strict=True) for piece in pair]

    text = text_of([(72, 800, 16, "A title that stands over both of the columns"), *rows])

    assert in_order(text, "A title", *LEFT, *RIGHT)


def test_three_columns_are_read_from_left_to_right() -> None:
    """Each gutter divides again what the first one left."""
    sides = [[f"{side} {number} of sand and clay" for number in range(1, 9)] for side in ("one", "two", "three")]
    pages = [piece for x, side in zip((50, 220, 390), sides, strict=True) for piece in column(side, x=x)]

    assert in_order(text_of(sorted(pages, key=lambda piece: -piece[1])), *sides[0], *sides[1], *sides[2])


def test_what_spans_the_columns_divides_them() -> None:
    """A wide figure's caption comes after what stands above it in both columns."""
    caption = "Figure 1: The profile of the valley, drawn over the width of both of the columns of the page."
    upper = [*RIGHT[:-1], RIGHT[-1] + "."]
    lower = [[line.replace("line", "row") for line in side] for side in (LEFT, RIGHT)]
    texts = [
        *column(LEFT), *column(upper, x=310), (72, 620, 10, caption),
        *column(lower[0], top=590), *column(lower[1], x=310, top=590),
    ]  # fmt: skip

    assert in_order(text_of(texts), *LEFT, *RIGHT, caption, *lower[0], *lower[1])


def test_rows_of_a_table_stay_together() -> None:
    """The cells of a table are no columns of text."""
    rows = [(name, f"{number}.5 m") for number, name in enumerate(("Elbe", "Oder", "Rhine", "Weser", "Danube"))]
    texts = [
        (x, 700 - 14 * at, 10, cell) for at, row in enumerate(rows) for x, cell in zip((72, 300), row, strict=True)
    ]

    text = text_of(texts)

    assert all(" ".join(row) in text for row in rows)


def test_hyphens_at_line_ends_are_joined_by_the_words_of_the_document() -> None:
    """A hyphen that belongs to the word stays."""
    lines = [
        "This well-known and much used text speaks of the repre-", "sentation of data, and of a well-",
        "known rule; the Ex-", "Präsident agrees that it is state-of-the-", "art in the years 1990-", "1995.",
    ]  # fmt: skip

    text = text_of(column(lines))

    assert "representation" in text
    assert "a well-known rule; the Ex-Präsident" in text
    assert "state-of-the-art in the years 1990-1995." in text


def test_a_paragraph_goes_on_in_the_next_column_and_page_and_footnotes_follow_it() -> None:
    """A footnote at the end of a column does not stand within the sentence."""
    left = [*column(LEFT), (72, 600, 7, "1 A note on the sources of the sand.")]
    more = ["more lines on the second page go on"] * 4

    text = text_of([*left, *column(RIGHT, x=310)], column(more))

    assert f"{LEFT[-1]} {RIGHT[0]}" in text
    assert f"{RIGHT[-1]} {more[0]}" in text
    assert "\n\n1 A note on the sources of the sand." in text


def test_headers_footers_and_page_numbers_are_removed() -> None:
    """They repeat on the edges of pages; the same words in the text stay."""

    def page(number: int) -> list[tuple[float, float, float, str]]:
        header = (72, HEIGHT - 30, 9, f"Journal of Rivers, volume {number}")
        body = column([f"Page {number} of the text says that the Journal of Rivers is read."] * 3, top=700)
        return [header, *body, (290, 30, 9, str(number + 11))]

    text = text_of(*(page(number) for number in range(1, 5)))

    assert "volume" not in text
    assert text.count("Journal of Rivers is read") == 12
    assert not any(f"\n{number}" in text or f" {number}\n" in text for number in range(12, 16))


def test_rotated_stamps_and_text_printed_twice_are_left_out() -> None:
    """The stamp of arXiv stands on the margin; some programs make bold by printing twice."""
    stamp = b"BT /F 20 Tf 0 1 -1 0 30 200 Tm (arXiv:1911.02782v1 [cs.CL]) Tj ET\n"
    bold = [(72, 740, 14, "Bold words"), (72.3, 740, 14, "Bold words")]

    text = text_of(stamp + operators([*bold, *column(LEFT, top=700)]))

    assert "arXiv" not in text
    assert text.count("Bold words") == 1


def test_a_page_turned_as_a_whole_is_read() -> None:
    """A wide table is printed sideways."""
    lines = (f"BT /F 10 Tf 0 1 -1 0 {100 + 12 * at} 72 Tm ({line}) Tj ET" for at, line in enumerate(LEFT))

    assert in_order(text_of("\n".join(lines).encode()), *LEFT)


def test_ligatures_are_letters() -> None:
    """As one code of Unicode, as a code of TeX, and as two letters of one character."""
    codes = b"<41> <FB01> <42> <FB02> <43> <000B> <44> <00660066>"
    pairs = b" ".join(codes.split())
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <FF> "
        b"endcodespacerange 4 beginbfchar " + pairs + b" endbfchar endcmap end end"
    )
    line = "eAcient, inBuence, eCect, diDerent are words"

    text = read(pdf([column([line])], to_unicode=cmap))["text"]

    assert [word in text for word in ("ficient", "influence", "effect", "different")] == [True] * 4, text


def test_marks_of_footnotes_are_removed_and_exponents_stay() -> None:
    """The text "10⁵" is not 105."""
    line = operators([(72, 700, 10, "An area of 12 m"), (143.2, 704, 6, "2"), (149.4, 700, 10, "was measured twice"),
                      (232.9, 704, 6, "3"), (237.4, 700, 10, " in May.")])  # fmt: skip

    text = text_of(line)

    assert "12 m² was" in text
    assert "twice in May" in text


def test_pages_that_begin_alike_keep_their_first_lines() -> None:
    """The same form on every page is text, and no header."""

    def page(number: int) -> list[tuple[float, float, float, str]]:
        return column([f"Sample {number} of the survey", "was taken from the river", f"in the year {1888 + number}."])

    text = text_of(*(page(number) for number in range(1, 5)))

    assert text.count("was taken from the river") == 4
    assert all(f"Sample {number} of" in text for number in range(1, 5))


def numbered(page: int, *, every: int = 1) -> list[tuple[float, float, float, str]]:
    """Return a page of 20 lines with their numbers on the left, as drafts have."""
    lines = [f"page {page} line {number} speaks of the river and its sand" for number in range(20)]
    numbers = [
        (40.0 if 20 * page + at >= 10 else 43.5, 780 - 12.0 * at, 6.0, str(20 * page + at))
        for at in range(20)
        if (20 * page + at) % every == 0
    ]
    return [piece for pair in zip(column(lines), numbers, strict=False) for piece in pair] + numbers[len(lines) :]


def test_the_numbers_of_lines_are_left_out() -> None:
    """A number would stand within every sentence of a draft."""
    text = text_of(*(numbered(page) for page in range(3)))

    assert "page 1 line 3 speaks of the river and its sand page 1 line 4 speaks" in text
    assert "page 0 line 0 speaks of the river and its sand page 0 line 1" in text


def test_a_table_that_numbers_its_rows_keeps_them() -> None:
    """One page of several is a table, not a draft."""
    text = text_of(numbered(0), column(LEFT), column(RIGHT), column(LEFT))

    assert text.split().count("17") == 2


def test_a_column_of_short_lines_is_a_column_where_other_pages_have_two() -> None:
    """A list beside the text is not read line by line with it."""
    page = [*column(LEFT), *column(RIGHT, x=310)]
    short = [f"item {number}" for number in range(8)]

    text = text_of(page, page, page, [*column(LEFT), *column(short, x=310)])

    assert in_order(text.rpartition(RIGHT[-1])[2], *LEFT, *short)


def test_a_sentence_goes_on_after_a_table_in_smaller_letters() -> None:
    """The table follows the sentence."""
    first = [f"the words number {number} of a long sentence that is not over" for number in range(8)]
    rest = ["and goes on below the table until it ends with a full stop."] * 3
    table = [(72, 640 - 10 * at, 7, f"cell {at} and {at + 1}") for at in range(4)]

    text = text_of([*column(first), *table, *column(rest, top=580)])

    assert "of a long sentence that is not over and goes on below the table" in text
    assert in_order(text, "until it ends", "cell 0")


def test_a_first_page_that_reaches_lower_than_the_others_keeps_its_lines() -> None:
    """Later pages may be short; only what a gap or smaller letters set off is a footer."""
    lines = [f"line {number} of the first page speaks of rivers" for number in range(40)]

    text = text_of(column(lines), column(LEFT), column(RIGHT))

    assert in_order(text, *lines)
