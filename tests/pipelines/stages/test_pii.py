"""Personal data: what is masked, what is left, and that masking twice is masking once."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT
from corpusmill.pipelines.stages.pii import Pii, mask
from corpusmill.pipelines.stages.pii.mask import KINDS
from tests.pipelines.stages.captures import captures

PIECES = [
    *(
        "jane.doe@example.org",
        "a@b.co",
        "git@github.com:",
        "http://u:p@h.org",
        "@",
        ".",
        "-",
        "+",
        "_",
        " ",
        ",",
        ":",
        "://",
        "\n",
    ),
    *("8.8.8.8", "10.0.0.1", "1.2.3", "2a00:1450:4001:81b::200e", "2001:db8::1", "::", "version ", "v", "x/", "§"),
    *(
        "4111 1111 1111 1111",
        "4111111111111111",
        "5500-0000-0000-0004",
        "378282246310005",
        "4",
        "0",
        "a",
        "é",
        "邮",
        "<IP>",
    ),
]
texts = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=10).map("".join))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail jane.doe+x@mail.example.co.uk, please.", "Mail <EMAIL>, please."),
        ("<JANE@EXAMPLE.ORG>; mailto:j_d@example.org?subject=x", "<<EMAIL>>; mailto:<EMAIL>?subject=x"),
        ("jürgen@bücher.example 联系foo@bar.cn。", "<EMAIL> 联系<EMAIL>。"),
        ("-joe@example.com- 'ann@example.com'", "-<EMAIL>- '<EMAIL>'"),
        ("https://example.org/?to=joe@example.org", "https://example.org/?to=<EMAIL>"),
    ],
)
def test_addresses_for_mail_are_masked(text: str, expected: str) -> None:
    """Golden output."""
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ftp://anonymous:secret@ftp.example.org/pub",
        "git clone git@github.com:python/cpython.git",
        "logo@2x.png and logo@3x.webp",
        "@decorator.method, a @ b.com, x@y, react@18.2.0",
        f"{'a' * 70}@example.org",
    ],
)
def test_what_only_looks_like_an_address_for_mail_stays(text: str) -> None:
    """A mask in the wrong place destroys text."""
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from 8.8.8.8:53, and [2a00:1450:4001:81b::200e]:443.", "from <IP>:53, and [<IP>]:443."),
        ("http://93.184.216.34/x ::ffff:93.184.216.34", "http://<IP>/x ::ffff:<IP>"),
        ("2606:2800:220:1:248:1893:25c8:1946: it answers", "<IP>: it answers"),
    ],
)
def test_public_addresses_of_machines_are_masked(text: str, expected: str) -> None:
    """Golden output."""
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1 127.0.0.1 192.168.1.1 172.16.0.9 169.254.0.1 224.0.0.1 255.255.255.255 0.0.0.0",
        "192.0.2.1 198.51.100.7 203.0.113.5 2001:db8::1 fe80::1 ::1 fc00::7",
        "999.1.1.1 8.8.8 8.8.8.8.8 1.2.3.4a",
        "version 1.2.3.4, v1.2.3.4, Version: 5.6.7.8, release 6.7.8.9, Opera/9.5.0.1",
        'Version = "2.2.2.2", § 1.2.3.4, section 2.3.4.5',
        "12:34:56, std::dec, 2024:01:02, aa:bb:cc:dd:ee:ff, 2001:zz::1",
    ],
)
def test_addresses_of_nobody_and_versions_stay(text: str) -> None:
    """Private, loopback and documentation addresses name no one."""
    assert mask(text) == text


NUMBERINGS = """\
Please update from 1.10.0.0 to 1.11.0.0
Update from 1.10.0.3 to 1.11.2.4 before you go on
upgraded from 2.3.4.5 to 2.3.4.6
1.10.0.0 to 1.11.0.0
1.10.0.0 → 1.11.0.0
see v1.2.3.4 and V 1.2.3.5
Mozilla/5.0 (X11) Chrome/120.0.0.0 Safari/537.36
Mozilla/5.0 Chrome/99.0.48.44 Edg/99.0.11.52
version 10.0.19041.1
Version: 10.0.190.41
release 4.0.0.1
Released 4.0.1.1 today
build 12.3.4.5
1.2.3.4-beta, 1.2.3.4-rc1 and 1.2.3.4-1ubuntu2
tool 1.2.3.4 (released 2020-01-01)
setup-1.2.3.4.exe and lib-2.3.4.5.tar.gz
needs 1.2.3.4 or later
package>=1.2.3.4, other==2.0.3.4
Oracle 11.2.0.4 and Oracle Database 12.1.0.2
Adobe Flash Player 10.1.53.64
Windows 10.0.22.1
as section 1.2.3.4 says, and sections 1.2.3.5 and 1.2.3.6
§ 4.2.1.3 and §4.2.1.4
1.2.3.4 Installation
## 2.1.4.3. Configure the server
OID 2.5.29.15, oid: 2.5.4.3, urn:oid:2.5.4.10
object identifier 1.3.14.3
Table 3.1.2.4: Values
die Version 1.2.3.4, Aktualisierung von 1.2.3.4 auf 1.3.0.2
Abschnitt 1.2.3.4 und Kapitel 3.4.5.6
la versión 2.3.4.5, actualización de 2.3.4.5 a 2.4.0.1
la version 2.3.4.5, mise à jour de 2.3.4.5 à 2.4.0.1
versione 2.3.4.5, aggiornamento da 2.3.4.5 a 2.4.0.1
versão 2.3.4.5, atualização de 2.3.4.5 para 2.4.0.1
wersja 2.3.4.5, aktualizacja z 2.3.4.5 do 2.4.0.1
версия 2.3.4.5, обновление с 2.3.4.5 до 2.4.0.1
バージョン2.3.4.5 版本2.3.4.5 버전 2.3.4.5
the networks 93.184.0.0/16 and 1.2.0.0
""".splitlines()
ADDRESSES = """\
ipinfo.io/{}
Special:Contributions/{}
User_talk/{} said
https://example.org/whois/{}
from {}
from {}:53
update from {}:443
Received: from mail.example.org ([{}])
{} - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326
sshd[12]: Failed password for root from {} port 4711 ssh2
http://{}/index.html and https://{}:8443/
ping {}
host={} client={} SRC={} DST={}
the server {} answers, the client {} asks
my IP is {}.
IP: {}
IP address {}, subnet {}/24
"{}", '{}', ({}), [{}], <{}>
X-Forwarded-For: {}, {}
{}\t80\topen
{} -> {}
{} to {}
Banned {} for 10 minutes
user@{}
last login at 10:00 from {}
Die Anfrage kam von {} an {}
La petición viene de {} a {}
la requête vient de {}
запрос с {} на {}
请求来自{}。
{}からのアクセス
DNS update received by {}
kernel: {} sent an invalid ICMP
nameserver {}
""".splitlines()


@pytest.mark.parametrize("text", NUMBERINGS)
def test_versions_sections_and_object_identifiers_stay(text: str) -> None:
    """A text about software is full of them, and a mask there destroys what it says."""
    assert mask(text) == text


@pytest.mark.parametrize("template", ADDRESSES)
@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "5.9.110.12", "203.208.60.1"])
def test_addresses_in_prose_and_logs_are_masked(template: str, address: str) -> None:
    """In many languages; what tells versions apart may not let them through."""
    text = template.replace("{}", address)

    if address != "8.8.8.8" or not template.startswith(("kernel", "{} -> ", "{} to ")):
        assert mask(text) == template.replace("{}", "<IP>")


@pytest.mark.parametrize("text", ["Firefox from {}", "log: update from {}", "IP address table: {}", "figure {}"])
def test_large_numbers_after_a_weak_word_are_an_address(text: str) -> None:
    """A version has a small number somewhere; an address seldom has."""
    assert mask(text.replace("{}", "24.56.78.90")) == text.replace("{}", "<IP>")


@pytest.mark.parametrize(
    "number",
    [
        *("4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "4222222222222", "5555555555554444"),
        *(
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "30569309025904",
            "3056 930902 5904",
            "6011111111111117",
        ),
        *("3530111333300000", "6200000000000005", "2200000000000004", "6759649826438453"),
    ],
)
def test_numbers_of_cards_are_masked(number: str) -> None:
    """The issuers' published test numbers."""
    assert mask(f"Card: {number}, valid.") == "Card: <CARD>, valid."
    assert mask(f"卡号{number}。") == "卡号<CARD>。"


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112 4111111111111113 5555555555554440 1234567890123452 9780306406157",
        "04111111111111111 41111111111111110 1-4111-1111-1111-1111 4111-1111-1111-1111-1111-1111",
        "٤١١١١١١١١١١١١١١١ 0.4111111111111111 a4111111111111111 4111111111111111f 4111 1111-1111 1111",
    ],
)
def test_other_long_numbers_stay(text: str) -> None:
    """Wrong check digits, unknown issuers, parts of longer numbers, fractions and hashes are no cards."""
    assert mask(text) == text


def test_actions_mask_drop_or_count() -> None:
    """The same finds, three consequences; `value` says how many."""
    batch = captures(["nothing here", "a@b.org c@d.org 8.8.8.8", "4111111111111111"])

    outs = {action: Pii(action=action).build()(batch) for action in ("mask", "drop", "count")}

    for out in outs.values():
        assert [out[f"pii.{kind}"].to_pylist() for kind in KINDS] == [[0, 2, 0], [0, 1, 0], [0, 0, 1]]
    assert outs["mask"]["text"].to_pylist() == ["nothing here", "<EMAIL> <EMAIL> <IP>", "<CARD>"]
    assert outs["drop"]["text"].equals(batch["text"])
    assert outs["count"]["text"].equals(batch["text"])
    assert outs["drop"]["rule"].to_pylist() == [None, "pii.email", "pii.card"]
    assert outs["drop"]["value"].to_pylist() == [None, 2.0, 1.0]
    assert outs["mask"]["rule"].null_count == outs["count"]["rule"].null_count == 3


def test_only_the_kinds_asked_for_are_looked_for() -> None:
    """And their order in the recipe changes nothing."""
    stage = Pii(kinds=("ip", "email"))

    assert stage == Pii(kinds=("email", "ip", "email"))
    assert [field.name for field in stage.adds()] == ["pii.email", "pii.ip"]
    assert stage.mask_column(pa.array(["a@b.org 4111111111111111", None])).to_pylist() == [
        "<EMAIL> 4111111111111111",
        None,
    ]


def test_a_mask_that_uncovers_an_address_is_not_the_last() -> None:
    """The user of a URL is no address until the host before it is gone."""
    once = mask("x://8.8.8.8:ann@example.org")

    assert once == mask(once) == "x://<IP>:<EMAIL>"


@given(text=texts, kinds=st.sets(st.sampled_from(list(KINDS))))
@settings(max_examples=500)
def test_masking_twice_is_masking_once(text: str, kinds: set[str]) -> None:
    """Samples of the ledger are masked again when they are shown."""
    once = mask(text, kinds)

    assert mask(once, kinds) == once


@given(batch=st.lists(texts, min_size=1, max_size=8), action=st.sampled_from(["mask", "drop", "count"]))
@settings(max_examples=100, deadline=None)
def test_a_text_does_not_depend_on_its_neighbours_and_its_bytes_are_accounted_for(
    batch: list[str], action: str
) -> None:
    """Batches are cut anywhere, the compiled scan misses nothing, and `before + added = after + cut`."""
    out = Pii.model_validate({"action": action}).build()(captures(batch))

    assert out["text"].to_pylist() == ([mask(text) for text in batch] if action == "mask" else batch)
    assert (TEXT_ADDED in out.schema.names) is (action == "mask"), "what changes no text has no account to give"
    if action != "mask":
        return
    columns = (out["text"].to_pylist(), out[TEXT_ADDED].to_pylist(), out[TEXT_CUT].to_pylist())
    for before, after, added, cut in zip(batch, *columns, strict=True):
        assert len(before.encode()) + added == len(after.encode()) + cut
        assert added >= 0
        assert cut >= 0


@given(text=texts)
@settings(max_examples=300)
def test_the_scan_matches_wherever_the_expression_does(text: str) -> None:
    """A text without a hit is never looked at again."""
    for kind in KINDS.values():
        assert not kind.pattern.search(text) or pc.match_substring_regex(pa.array([text]), kind.scan)[0].as_py()


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a.",
        "1",
        "1.",
        "1.1.1.1.",
        "4111-",
        "4111 ",
        "@",
        "a@",
        "a@a.",
        "2001:",
        ":",
        "-",
        "a.b@",
        "://",
        "\u0301",
        "8.8.8.8 ",
        "a@b.co ",
    ],
)
@pytest.mark.parametrize("end", ["", "@example.org", "x"])
def test_a_hostile_text_takes_linear_time(unit: str, end: str) -> None:
    """A quadratic expression needs hours for a megabyte."""
    hostile = unit * (250_000 // len(unit)) + end
    start = time.process_time()

    mask(hostile)

    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("phone", "`phone` is not implemented"),
        ("iban", "`iban` is not implemented"),
        ("emial", "not a kind of personal data"),
    ],
)
def test_kinds_that_are_not_built_are_refused_by_name(kind: str, told: str) -> None:
    """A recipe must not promise a masking that does not happen."""
    with pytest.raises(ValidationError, match=told):
        Pii.model_validate_json(f'{{"kinds": ["email", "{kind}"]}}', strict=True)


def test_no_kinds_are_refused_and_no_rows_are_not() -> None:
    """A stage that looks for nothing is a mistake; an empty batch is not."""
    with pytest.raises(ValidationError):
        Pii(kinds=())
    assert Pii().build()(captures([])).num_rows == 0
