def scan(
    text: str, agent: str, max_characters: int, /
) -> tuple[str | None, dict[str, bool], str, list[tuple[str, str]], str]:
    """Scan a page in linear time and without a tree, by the tokenizer of the HTML standard (13.2.5).

    Unlike a tree, the scan also has tags that browsers ignore because of their place, such as a frame in a paragraph.
    What templates contain is ignored.

    Args:
        agent: The name of directives that apply, besides ``robots``, in lower case.
        max_characters: When the text of the page has more characters, no further text is added.

    Returns:
        The base address; the references as written in page order, and whether a link with each may be followed; the
        values of the robots directives, joined by commas; type and address of the first 64 alternate forms of the page
        (``<link rel=alternate>``), such as feeds; the visible text, with blanks in place of tags and without the text
        of links that only show their address.
    """

def declarations(text: str, /) -> list[tuple[str, dict[str, str], str]]:
    """Return name, attributes and attributes as written of the ``meta`` and ``link`` tags of a page outside templates.

    The names of attributes are in lower case; of equal names, the first counts.
    """

def sketch(text: str, own: str, max_words: int, /) -> bytes:
    """Return the smallest hashes of the words of *text*, uint32 in ascending order.

    A word is a run of ASCII letters and digits, or one of letters of any script; numbers are left out, and so are the
    words of *own*. Both texts are in lower case. The hash of a word also depends on how many equal words precede it.
    """

def same(sketch: bytes, others: list[bytes], compared: int, share: float, /) -> bool:
    """Return whether *sketch* and one of *others* share *share* of the *compared* smallest values of their union."""
