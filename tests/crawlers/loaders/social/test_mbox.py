"""Mail as text: encodings, parts, quotes, signatures; and files that are cut, wrong or hostile."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from corpusmill.crawlers.loaders.mbox import Mbox
from tests.crawlers.loaders.reading import Row, in_slices, rows

ENVELOPE = b"From ann@example.org Tue Mar  5 10:30:00 2024\n"
HEADERS = """\
Message-ID: <1@example.org>
From: Ann Author <ann@example.org>
To: list@example.org
Date: Tue, 05 Mar 2024 10:30:00 +0100
Subject: [list] Re: Tea
"""


def read(folder: Path, content: bytes, loader: Mbox | None = None) -> list[Row]:
    path = folder / "list.mbox"
    path.write_bytes(content)
    return rows(loader or Mbox(), path, name="list.mbox")


def message(folder: Path, body: str | bytes, *, headers: str = "", loader: Mbox | None = None) -> Row:
    body = body if isinstance(body, bytes) else dedent(body).encode()
    (row,) = read(folder, ENVELOPE + (HEADERS + dedent(headers)).encode() + b"\n" + body, loader)
    return row


def test_a_message_fills_the_columns(tmp_path: Path) -> None:
    headers = "In-Reply-To: <0@example.org>\nList-Id: Tea lovers <tea.example.org>\nContent-Language: en\n"
    row = message(tmp_path, "Hello.\n\n>From here it goes on.\n", headers=headers)

    assert (row["source_id"], row["title"]) == ("1@example.org", "[list] Re: Tea")
    assert row["text"] == "Hello.\n\nFrom here it goes on."
    assert row["published_at"] == datetime(2024, 3, 5, 9, 30, tzinfo=UTC)
    assert row["metadata"] == {"in_reply_to": "0@example.org", "list": "tea.example.org", "language": "en"}
    assert "Ann" not in str(row)
    assert "ann@" not in str(row)


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        (
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n",
            b"Caf=E9 =\nau lait",
            "Café au lait",
        ),
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n",
            base64.b64encode("Žluťoučký".encode()),
            "Žluťoučký",
        ),
        (
            "Content-Type: text/plain; charset=koi8-r\n",
            "Добрый день, это письмо.".encode("koi8-r"),
            "Добрый день, это письмо.",
        ),
        ("Content-Type: text/plain; charset=x-unknown\n", "Café".encode(), "Café"),
        ("Content-Type: text/plain; charset=us-ascii\n", "naïve".encode("latin-1"), "naïve"),
        ("", "Grüße aus München".encode(), "Grüße aus München"),
        ("Content-Type: text/html\n", b"<p>One</p><blockquote type=cite>q</blockquote><p>Two</p>", "One\n\nTwo"),
        ("Content-Type: text/plain; format=flowed\n", b"One \ntwo\n\n> q \n> r\nThree", "One two\n\nThree"),
    ],
)
def test_encodings_and_forms_of_text_are_read(tmp_path: Path, headers: str, body: bytes, text: str) -> None:
    assert message(tmp_path, body, headers=headers)["text"] == text


def test_subjects_in_several_encodings_are_decoded(tmp_path: Path) -> None:
    content = (
        ENVELOPE
        + b"Subject: =?koi8-r?B?"
        + base64.b64encode("Привет".encode("koi8-r"))
        + b"?=\n =?utf-8?q?_=C3=A9?=\n\nx\n"
    )

    assert read(tmp_path, content)[0]["title"] == "Привет é"


BODY = """\
Hello,

On Mon, 4 Mar 2024 at 10:00, Ben Reader <ben@example.org> wrote:
> Is tea good?
>> Yes.

I think so.

--\x20
Ann Author
http://example.org
_______________________________________________
Tea mailing list
Tea@example.org
https://example.org/mailman/listinfo/tea
"""


def test_quotes_and_signatures_are_a_choice(tmp_path: Path) -> None:
    plain = message(tmp_path, BODY)
    quoted = message(tmp_path, BODY, loader=Mbox(keep=("quotes",)))
    signed = message(tmp_path, BODY, loader=Mbox(keep=("signatures",)))

    assert plain["text"] == "Hello,\n\nI think so."
    assert quoted["text"] == "Hello,\n\n> Is tea good?\n>> Yes.\n\nI think so."
    assert signed["text"] == "Hello,\n\nI think so.\n\n--\nAnn Author\nhttp://example.org"


@pytest.mark.parametrize(
    "tail",
    [
        "-----Original Message-----\nFrom: Ben\nSent: today\n\nold text",
        "From: Ben Reader\nSent: Monday\nTo: Ann\nSubject: x\n\nold text",
        "begin 644 a.bin\n#0V%T\n`\nend",
        "-----BEGIN PGP SIGNATURE-----\n\niQEzBAABCAAdFiEE\n-----END PGP SIGNATURE-----",
    ],
)
def test_what_is_appended_is_removed(tmp_path: Path, tail: str) -> None:
    assert message(tmp_path, f"New text.\n\n{tail}\n")["text"] == "New text."


def test_signed_messages_are_unwrapped(tmp_path: Path) -> None:
    body = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nText\n- -- dash\n-----BEGIN PGP SIGNATURE-----\n\nabc\n"

    assert message(tmp_path, body)["text"] == "Text\n-- dash"


def multipart(kind: str, *parts: tuple[str, str]) -> tuple[str, str]:
    headers = f'MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="b{kind}"\n'
    return headers, "".join(f"--b{kind}\n{head}\n\n{body}\n" for head, body in parts) + f"--b{kind}--\n"


def test_the_plain_form_is_preferred_and_attachments_are_counted(tmp_path: Path) -> None:
    plain, page = ("Content-Type: text/plain", "plain"), ("Content-Type: text/html", "<p>page</p>")
    inner_headers, inner = multipart("alternative", page, plain)
    headers, body = multipart(
        "mixed",
        (inner_headers.partition("\n")[2].strip(), inner),
        ("Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt", "attached"),
        ("Content-Type: image/png\nContent-Transfer-Encoding: base64", "iVBORw0KGgo="),
    )
    path = tmp_path / "m.eml"
    path.write_text(HEADERS + headers + "\n" + body)
    counts: Counter[str] = Counter()

    (batch,) = Mbox().read(str(path), name="m.eml", counts=counts)

    assert batch["text"].to_pylist() == ["plain"]
    assert counts["attachments"] == 2


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("", "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n"),
        multipart("encrypted", ("Content-Type: application/pgp-encrypted", "Version: 1")),
        ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n", "MIIB"),
    ],
)
def test_encrypted_messages_are_set_aside(tmp_path: Path, headers: str, body: str) -> None:
    assert message(tmp_path, body, headers=headers)["rule"] == "error.encrypted"


def test_messages_are_divided_at_envelope_lines_alone(tmp_path: Path) -> None:
    text = b"From my window I see\n\nFrom here to there 12 miles\n"
    content = b"".join(ENVELOPE + b"Message-ID: <%d>\n\n%b\n" % (number, text) for number in range(3))

    found = read(tmp_path, content)

    assert [row["source_id"] for row in found] == ["0", "1", "2"]
    assert {row["text"] for row in found} == {text.decode().strip()}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_slices_have_the_records_of_the_file(tmp_path: Path, newline: bytes) -> None:
    parts = [ENVELOPE + b"Message-ID: <%d>\n\nText %d.\n\n" % (number, number) for number in range(20)]
    content = b"".join(parts).replace(b"\n", newline)
    whole = read(tmp_path, content)

    for step in (50, 83, 84, 85, 300):
        sliced = in_slices(Mbox(), tmp_path / "list.mbox", [*range(0, len(content), step), len(content)])
        assert [row["source_id"] for row in sliced] == [row["source_id"] for row in whole] == [*map(str, range(20))]


def test_missing_and_wrong_fields_do_not_matter(tmp_path: Path) -> None:
    content = b"From - Tue Mar  5 10:30:00 2024\nDate: yesterday\nSubject: =?bad?x?y?=\n\nText\n"

    (row,) = read(tmp_path, content)

    assert row["text"] == "Text"
    assert row["source_id"] == row["record_sha256"]
    assert row["published_at"] is None


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"no mail at all\n", "error.wrong_format"),
        (b"\x7fELF\x02\x01", "error.wrong_format"),
        (ENVELOPE + b"Subject: only quotes\n\n> a\n> b\n", "error.no_text"),
        (
            ENVELOPE
            + b"Content-Type: multipart/mixed; boundary=x\n\n"
            + b"--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 5_000,
            "error.too_complex",
        ),
    ],
    ids=["text", "binary", "quotes", "nested"],
)
def test_what_has_no_text_is_set_aside(tmp_path: Path, content: bytes, rule: str) -> None:
    assert [row["rule"] for row in read(tmp_path, content)] == [rule]


def test_hostile_bodies_take_linear_time(tmp_path: Path) -> None:
    """A body of 300 kB in which each pattern begins again and again."""
    for line in (
        "On Monday\n",
        "wrote: \n",
        "-" * 30 + "\n",
        "begin 644 a\n",
        ">\n",
        "From: x\n",
        "M" * 60 + "\n",
        "\n",
    ):
        assert message(tmp_path, line * (300_000 // len(line)) + "end of it")["rule"] in {None, "error.no_text"}


SECOND = b"From bob at example.org  Tue Mar  5 11:30:00 2024\nMessage-ID: <2@example.org>\n\nSecond.\n"


def test_a_message_begins_at_a_complete_envelope_also_without_an_empty_line(tmp_path: Path) -> None:
    """Some archives lack the empty line; sentences that begin with `From` do not begin a message."""
    body = b"\nFirst.\n\nFrom the start in 2019 we did.\nIt was good.\n\nFrom 10:30 on 2024 we met: yes.\n"

    first, second = read(tmp_path, ENVELOPE + HEADERS.encode() + body + SECOND)

    assert first["text"] == body.decode().strip()
    assert (second["source_id"], second["text"]) == ("2@example.org", "Second.")


@pytest.mark.parametrize("step", [37, 101])
def test_slices_agree_on_messages_without_an_empty_line(tmp_path: Path, step: int) -> None:
    content = ENVELOPE + HEADERS.encode() + b"\nFirst.\n" + SECOND * 5
    whole = read(tmp_path, content)

    sliced = in_slices(Mbox(), tmp_path / "list.mbox", [*range(0, len(content), step), len(content)])

    assert sliced == whole
    assert len(whole) == 6


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        ("Content-Type: text/plain; charset=cp-850\n", "café".encode("cp850"), "café"),
        ("Content-Type: text/plain; charset=utf-7\n", b"caf+AOk- now", "café now"),
        ("Content-Type: text/enriched\n", b"<bold>Hi</bold> there,\nyou <<3\n\nbye", "Hi there, you <3\n\nbye"),
        ("Content-Type: text/markdown\n", b"Hi *there*", "Hi *there*"),
        ("Content-Type: multipart/mixed\n", b"No boundary", "No boundary"),
        (
            "",
            b"Hi.\n-------------- next part --------------\nAn HTML attachment was scrubbed...\nURL: <http://x/a.html>\n"
            b"-------------- next part --------------\nThe last part.\n",
            "Hi.\nThe last part.",
        ),
        (
            "",
            b"Hi.\n-------------- next part --------------\nA non-text attachment was scrubbed...\nName: a.png\n"
            b"Type: image/png\nSize: 9 bytes\nDesc: not available\nURL: <http://x/a.png>\n",
            "Hi.",
        ),
    ],
)
def test_parts_that_only_mail_has_are_text(tmp_path: Path, headers: str, body: bytes, text: str) -> None:
    assert message(tmp_path, body, headers=headers)["text"] == text


def test_a_pseudonym_is_the_same_for_both_ways_to_write_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORPUSMILL_PSEUDONYM_KEY", "a key of sufficient length")
    senders = ("Ann Author <ann@example.org>", "ann at example.org (Ann Author)", "bob at example.org (Bob)")
    content = b"".join(
        ENVELOPE + f"From: {sender}\nSubject: x\n\nText {sender[:3]}.\n\n".encode() for sender in senders
    )

    first, same, other = read(tmp_path, content, Mbox(authors="pseudonyms"))

    assert first["metadata"]["author"] == same["metadata"]["author"] != other["metadata"]["author"]
    assert "example.org" not in str(first["metadata"])


INNER = """\
Message-ID: <in{0}@example.org>
From: Bob <bob@example.org>
Subject: Topic {0}
Date: Mon, 4 Mar 2024 09:00:00 +0000

> Quoted.
Body {0}.
"""
MIME_DIGEST = f"""\
Subject: devel Digest, Vol 1, Issue 2
Message-ID: <digest@example.org>
List-Id: Developers <devel.example.org>
Date: Tue, 5 Mar 2024 10:30:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=a

--a
Content-Type: text/plain

Today's Topics:
--a
Content-Type: multipart/digest; boundary=b

--b

{INNER.format(1)}
--b

{INNER.format(2).replace("Message-ID: <in2@example.org>", "X-None: 1")}
--b--
--a
Content-Type: text/plain

devel mailing list
--a--
"""
HYPHENS = "-" * 30
PLAIN_DIGEST = f"""\
Subject: devel Digest, Vol 1, Issue 2
Message-ID: <digest@example.org>
List-Id: Developers <devel.example.org>
Date: Tue, 5 Mar 2024 10:30:00 +0000

Send submissions to devel@example.org

Today's Topics:

   1. Topic 1 (Bob)

{"-" * 70}

Message: 1
{INNER.format(1)}
{HYPHENS}
Not a header.
-- {""}
Bob

{HYPHENS}

Message: 2
{INNER.format(2).replace("Message-ID: <in2@example.org>", "Content-Type: text/plain; charset=x")}
{HYPHENS}

_______________________________________________
devel mailing list

End of devel Digest, Vol 1, Issue 2
***********************************
"""


@pytest.mark.parametrize("digest", [MIME_DIGEST, PLAIN_DIGEST], ids=["mime", "plain"])
def test_the_messages_of_a_digest_are_documents(digest: str, tmp_path: Path) -> None:
    """Otherwise the signature of the first message hides the others, and senders stand in the text."""
    one, two = read(tmp_path, ENVELOPE + digest.encode())

    assert (one["source_id"], one["title"]) == ("in1@example.org", "Topic 1")
    assert one["text"].startswith("Body 1.")
    assert (two["source_id"], two["title"], two["text"]) == ("digest@example.org#2", "Topic 2", "Body 2.")
    assert {row["published_at"].day for row in (one, two)} == {4}
    assert two["metadata"] == {"digest": "digest@example.org", "list": "devel.example.org"}
    assert "bob" not in str((one, two)).lower().replace("bob\n", "")


def test_a_message_about_a_digest_is_no_digest(tmp_path: Path) -> None:
    """Lines of hyphens and the word alone do not make one."""
    body = f"Which digest?\n\n{'-' * 70}\n\nA table\n\n{HYPHENS}\n\nend"

    row = message(tmp_path, body, headers="Subject: Re: Digest")

    assert row["text"] == body


def with_length(number: int, body: bytes, length: int | None = None) -> bytes:
    head = b"Message-ID: <%d@example.org>\nContent-Length: %d\n\n" % (number, len(body) if length is None else length)
    return ENVELOPE + head + body + b"\n"


def test_a_stated_length_decides_what_is_text(tmp_path: Path) -> None:
    """In files of mboxcl, envelope lines in a message are not escaped. Lengths that are wrong are ignored."""
    quoted = b"Look:\n\n" + ENVELOPE + b"Subject: not mine\n\nwords\n"
    cut = with_length(3, b"three\n", 5_000)
    content = b"".join((with_length(1, quoted), with_length(2, b"two\n"), cut, with_length(4, quoted)))

    found = read(tmp_path, content)

    assert [row["source_id"] for row in found] == [f"{number}@example.org" for number in range(1, 5)]
    assert found[0]["text"] == found[3]["text"] == quoted.decode().strip()
    path = tmp_path / "long.mbox"
    path.write_bytes(with_length(1, quoted) + with_length(2, b"words\n" * 1_000_000))
    assert Mbox().slices(str(path)) == [(0, -1)]
    path.write_bytes(with_length(1, quoted, 9) + with_length(2, b"words\n" * 1_000_000))
    assert len(Mbox().slices(str(path))) == 2


def test_a_wrong_first_length_is_ignored_in_the_whole_file(tmp_path: Path) -> None:
    """Slices of the file would not agree otherwise."""
    content = with_length(1, b"one\n", 3) + with_length(2, b"Look:\n\n" + ENVELOPE + b"Subject: own\n\nwords\n")

    assert [row["title"] for row in read(tmp_path, content)] == [None, None, "own"]


def test_a_sentence_is_no_envelope_line(tmp_path: Path) -> None:
    """It needs a day or month besides a time or a year."""
    body = "Hello,\n\nFrom bob@example.org we heard at 10:30\nSubject: this\n\nmore"

    assert message(tmp_path, body)["text"] == body


def test_keys_are_not_text(tmp_path: Path) -> None:
    """As signatures."""
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----"

    assert message(tmp_path, f"My key:\n\n{key}\n\nBye.")["text"] == "My key:\n\nBye."
