"""Invented identifiers other than names, in the many notations of notes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

ORDINALS: Final = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth"
    " sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third twenty-fourth"
    " twenty-fifth twenty-sixth twenty-seventh twenty-eighth"
).split()
ONES: Final = "one two three four five six seven eight nine".split()
DIGITS: Final = ("zero", *ONES)
KINDS: Final = {
    "birth": "date",
    "date": "date",
    "date_words": "date",
    "ordinal_date": "date",
    "dotted_date": "date",
    "day_month_year": "date",
    "weekday_date": "date",
    "compact_date": "date",
    "range_date": "date",
    "iso_time": "date",
    "month": "date",
    "holiday": "date",
    "age": "age over 89",
    "age_words": "age over 89",
    "age_short": "age over 89",
    "street": "place",
    "city": "place",
    "zip": "place",
    "hospital": "place",
    "school": "place",
    "address_line": "place",
    "phone": "phone",
    "phone_ext": "phone",
    "pager": "phone",
    "intl_phone": "phone",
    "phone_words": "phone",
    "fax": "fax",
    "email": "email",
    "email_broken": "email",
    "email_spelled": "email",
    "url_broken": "url",
    "url_bare": "url",
    "mrn": "mrn",
    "mrn_bare": "mrn",
    "mrn_hash": "mrn",
    "ssn": "ssn",
    "plan": "plan",
    "account": "account",
    "license": "license",
    "npi": "license",
    "plate": "vehicle",
    "device": "device",
    "lot": "device",
    "id": "id",
    "badge": "id",
    "docket": "id",
}
"""The kind of each slot."""
_MONTHS: Final = "January February March April May June July August September October November December".split()
_DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


class Facts:
    """Makes identifiers from a source of chance; cities, streets and institutions are given."""

    def __init__(self, chance: random.Random, places: dict[str, tuple[str, ...]]) -> None:
        self._random = chance
        self._places = places

    def make(self, slot: str) -> str:
        """Return an identifier for *slot*."""
        maker: Callable[[], str] = getattr(self, f"_{slot}")
        return maker()

    def _pick(self, *options: str) -> str:
        return self._random.choice(options)

    def _number(self, count: int) -> str:
        return str(self._random.randint(1, 9)) + "".join(str(self._random.randint(0, 9)) for _ in range(count - 1))

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices("ABCDEFGHJKLMNPRTUWXY", k=count))

    def _day(self) -> date:
        return date(2011, 1, 1) + timedelta(days=self._random.randint(0, 4500))

    def _date(self) -> str:
        day = self._day()
        month = _MONTHS[day.month - 1]
        return self._pick(
            f"{day:%m/%d/%Y}",
            f"{day.month}/{day.day}/{day:%y}",
            f"{day:%m-%d-%Y}",
            f"{day.isoformat()}",
            f"{month} {day.day}, {day.year}",
            f"{month[:3]} {day.day} {day.year}",
            f"{day:%d}-{month[:3]}-{day.year}",
            f"{day:%d} {month[:3].upper()} {day.year}",
            f"{month} {day.day}",
        )

    def _birth(self) -> str:
        day = date(1925, 1, 1) + timedelta(days=self._random.randint(0, 28000))
        return self._pick(
            f"{day:%m/%d/%Y}", f"{day.month}-{day.day}-{day:%y}", f"{_MONTHS[day.month - 1]} {day:%d, %Y}"
        )

    def _date_words(self) -> str:
        day = self._pick(*ORDINALS)
        month = self._pick(*_MONTHS)
        return self._pick(f"the {day} of {month}", f"{month} {day}", f"{month} the {day}", f"the {day} day of {month}")

    def _ordinal_date(self) -> str:
        number = self._random.choice((1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30))
        suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in (11, 12, 13) else 0, "th")
        return f"{number}{suffix} of {self._pick(*_MONTHS)}"

    def _dotted_date(self) -> str:
        day = self._day()
        return self._pick(f"{day.day}.{day.month}.{day.year}", f"{day:%d.%m.%y}", f"{day:%Y.%m.%d}", f"{day:%Y/%m/%d}")

    def _day_month_year(self) -> str:
        day = self._day()
        month = _MONTHS[day.month - 1]
        return self._pick(
            f"{day.day}{month[:3]}{day:%y}", f"{day:%d}{month[:3].upper()}{day.year}", f"{month[:3]}. {day.day}"
        )

    def _weekday_date(self) -> str:
        day = self._day()
        return f"{_DAYS[day.weekday()]}, {self._pick(f'{_MONTHS[day.month - 1]} {day.day}', f'{day.month}/{day.day}')}"

    def _compact_date(self) -> str:
        return f"{self._day():%Y%m%d}"

    def _range_date(self) -> str:
        day = self._day().replace(day=3)
        return self._pick(
            f"{_MONTHS[day.month - 1]} 3-{self._random.randint(5, 28)}, {day.year}",
            f"{day.month}/3-{day.month}/{self._random.randint(5, 28)}",
            f"{_MONTHS[day.month - 1][:3]} 3 to {_MONTHS[day.month - 1][:3]} 9",
        )

    def _iso_time(self) -> str:
        return f"{self._day().isoformat()}T0{self._random.randint(1, 9)}:15:00Z"

    def _month(self) -> str:
        return self._pick(*_MONTHS[5:])

    def _holiday(self) -> str:
        return self._pick("Christmas", "Thanksgiving", "Labor Day", "the Fourth of July", "New Year's Eve")

    def _age(self) -> str:
        return str(self._random.randint(90, 104))

    def _age_words(self) -> str:
        return (
            self._pick(*(f"ninety-{one}" for one in ONES), "ninety", "one hundred and two", "a hundred") + "-year-old"
        )

    def _age_short(self) -> str:
        return f"{self._age()}{self._pick(' y/o', 'yo', ' yrs', 'M', ' y.o.')}"

    def _street(self) -> str:
        name, suffix = (
            self._pick(*self._places["street"]),
            self._pick("St", "Street", "Ave", "Rd.", "Lane", "Court", "Ter"),
        )
        unit = self._pick("", "", ", Apt 3B", " #12", ", Unit 7")
        return f"{self._random.randint(3, 9800)} {self._pick('', 'N. ', 'West ')}{name} {suffix}{unit}"

    def _city(self) -> str:
        return self._pick(*self._places["city"])

    def _zip(self) -> str:
        return self._number(5)

    def _hospital(self) -> str:
        return self._pick(*self._places["hospital"])

    def _school(self) -> str:
        return self._pick(*self._places["school"])

    def _address_line(self) -> str:
        return f"{self._street()}\n{self._city()}, {self._pick('OR', 'GA', 'Ohio', 'NM')} {self._zip()}"

    def _phone(self) -> str:
        a, b, c = self._number(3), self._number(3), self._number(4)
        return self._pick(
            f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"{a}/{b}-{c}", f"{a}.{b}.{c}", f"({a}){b}-{c}", f"1-{a}-{b}-{c}"
        )

    def _phone_ext(self) -> str:
        extension = self._number(self._random.randint(2, 5))
        return self._phone() + self._pick(" x", " ext. ", ", ext ", " extension ", "x") + extension

    def _pager(self) -> str:
        return f"{self._number(self._random.choice((4, 5)))}"

    def _intl_phone(self) -> str:
        return self._pick(
            f"+44 20 {self._number(4)} {self._number(4)}",
            f"+49 30 {self._number(7)}",
            f"011 52 55 {self._number(4)} {self._number(4)}",
            f"+234 803 {self._number(3)} {self._number(4)}",
        )

    def _phone_words(self) -> str:
        words = [self._pick(*DIGITS) for _ in range(10)]
        return " ".join(words[:3]) + ", " + " ".join(words[3:6]) + ", " + " ".join(words[6:])

    _fax = _phone

    def _user(self) -> str:
        first, dot, second = self._letters(4).lower(), self._pick(".", "_", ""), self._letters(5).lower()
        return f"{first}{dot}{second}{self._random.randint(1, 99)}"

    def _email(self) -> str:
        return f"{self._user()}@{self._pick('example.org', 'post.example.net', 'mail.example.co.uk')}"

    def _email_broken(self) -> str:
        return self._pick(
            f"{self._user()}@\nexample.org", f"{self._user()}\n@example.net", f"{self._user()}@post.\nexample.com"
        )

    def _email_spelled(self) -> str:
        return self._pick(
            f"{self._user()} at example dot org",
            f"{self._user()}[at]example.org",
            f"{self._user()} (at) example (dot) net",
        )

    def _url_broken(self) -> str:
        return self._pick(
            f"https://portal.example.org/\nresults/{self._number(6)}",
            f"https://my.example-clinic.org/patient\n/{self._number(5)}/view",
            f"http://www.example.net/share?id=\n{self._number(7)}",
        )

    def _url_bare(self) -> str:
        return self._pick(
            f"{self._letters(6).lower()}-family.example.com/blog",
            f"facebook.com/{self._user()}",
            f"www.{self._letters(5).lower()}.example.info",
        )

    def _mrn(self) -> str:
        return self._pick(
            self._number(7),
            self._number(8),
            f"{self._number(2)}-{self._number(2)}-{self._number(3)}",
            f"{self._letters(1)}{self._number(6)}",
        )

    def _mrn_bare(self) -> str:
        return self._pick(
            f"{self._number(3)}-{self._number(3)}-{self._number(3)}",
            f"{self._number(8)}",
            f"{self._letters(2)}{self._number(7)}",
            f"0{self._number(6)}",
        )

    def _mrn_hash(self) -> str:
        return f"#{self._number(self._random.choice((6, 7)))}"

    def _ssn(self) -> str:
        return f"{self._number(3)}{self._pick('-', ' ')}{self._number(2)}-{self._number(4)}"

    def _plan(self) -> str:
        return self._pick(
            f"{self._letters(3)}{self._number(9)}", f"{self._letters(1)}{self._number(8)}-0{self._number(1)}"
        )

    def _account(self) -> str:
        return self._pick(self._number(9), f"{self._number(4)}-{self._number(5)}")

    def _license(self) -> str:
        return self._pick(
            f"{self._letters(1)}{self._number(7)}",
            self._number(8),
            f"{self._letters(1)}{self._number(3)}-{self._number(4)}",
        )

    def _npi(self) -> str:
        return f"1{self._number(9)}"

    def _plate(self) -> str:
        return self._pick(
            f"{self._letters(3)} {self._number(4)}",
            f"{self._number(1)}{self._letters(3)}{self._number(3)}",
            f"{self._letters(3)}-{self._number(3)}",
        )

    def _device(self) -> str:
        return self._pick(
            f"{self._letters(2)}{self._number(6)}",
            self._number(8),
            f"{self._number(4)}-{self._letters(2)}{self._number(2)}",
        )

    _lot = _device

    def _id(self) -> str:
        return self._pick(
            f"{self._letters(2)}-{self._number(2)}-{self._number(5)}",
            self._number(8),
            f"{self._number(4)}-{self._letters(2)}-{self._number(3)}",
        )

    def _badge(self) -> str:
        return self._number(4)

    def _docket(self) -> str:
        return f"{self._number(2)}-{self._letters(2)}-{self._number(4)}"
