"""Invented identifiers of each kind. Half of the family names are in no list of names."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

GIVEN: Final = (
    "Margaret Susan James Robert Linda Carlos Maria Anthony Denise Kevin Rachel Patricia Gloria Samuel Teresa"
    " Walter Ifeoma "
    "Xiomara Oluwaseun Anneliese Thandiwe Bogdan Svetlana Nguyet Priyanka Yusuf Eilidh Mateusz Soledad Cormac"
).split()
LISTED: Final = "Johnson Martinez Anderson Peterson Sullivan Castillo Hoffman Vasquez Gallagher Ramirez".split()
UNLISTED: Final = (
    "Weatherby Okonkwo Strzelecki Abiodun Featherstonehaugh Vangsness Quillfeldt Thibodeaux-Marr O'Shaughnesy Zubiri"
).split()
STREETS: Final = "Elm Maple Cedar Washington Orchard Lakeview Birchwood Prospect".split()
SUFFIXES: Final = "St Street Ave Avenue Road Rd Lane Drive Blvd Court".split()
CITIES: Final = "Springfield Peoria Tallmadge Brattleboro Sandusky Yuma Kalispell Dubuque".split()
STATES: Final = "IL OH VT AZ MT IA NY TX".split()
HOSPITALS: Final = (
    "Mercy General Hospital|St. Brendan's Hospital|Lakeside Medical Center|Tallmadge Community Hospital".split("|")
)
_MONTHS: Final = "January February March April May June July August September October November December".split()
_DATE_FORMS: Final[tuple[Callable[[date], str], ...]] = (
    lambda day: f"{day:%m/%d/%Y}",
    lambda day: f"{day.month}/{day.day}/{day:%y}",
    lambda day: day.isoformat(),
    lambda day: f"{_MONTHS[day.month - 1]} {day.day}, {day.year}",
    lambda day: f"{day.day} {_MONTHS[day.month - 1]} {day.year}",
    lambda day: f"{_MONTHS[day.month - 1][:3]} {day.day}",
    lambda day: f"{_MONTHS[day.month - 1]} {day.year}",
)


class Values:
    """Makes values of each kind from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, options: tuple[str, ...] | list[str]) -> str:
        """Return one of *options*."""
        return self._random.choice(options)

    def digits(self, count: int) -> str:
        """Return *count* digits; the first is not 0."""
        return str(self._random.randint(1, 9)) + "".join(str(self._random.randint(0, 9)) for _ in range(count - 1))

    def letters(self, count: int) -> str:
        """Return *count* capital letters."""
        return "".join(self._random.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=count))

    def family(self) -> str:
        """Return a family name."""
        return self.pick(LISTED if self._random.random() < 0.5 else UNLISTED)

    def make(self, slot: str) -> str:
        """Return a value for *slot*, which is a kind or a form of one."""
        makers: dict[str, Callable[[], str]] = {
            "full": lambda: f"{self.pick(GIVEN)} {self.family()}",
            "last_first": lambda: f"{self.family()}, {self.pick(GIVEN)}",
            "family": self.family,
            "given": lambda: self.pick(GIVEN),
            "date": self._date,
            "short_date": lambda: f"{self._random.randint(1, 12)}/{self._random.randint(1, 28)}",
            "birth": lambda: (
                f"{self._random.randint(1, 12):02}/{self._random.randint(1, 28):02}/19{self._random.randint(30, 89)}"
            ),
            "age": lambda: str(self._random.randint(90, 104)),
            "street": lambda: f"{self._random.randint(2, 9999)} {self.pick(STREETS)} {self.pick(SUFFIXES)}",
            "city": lambda: self.pick(CITIES),
            "city_state_zip": lambda: f"{self.pick(CITIES)}, {self.pick(STATES)} {self.digits(5)}",
            "hospital": lambda: self.pick(HOSPITALS),
            "phone": self._phone,
            "fax": self._phone,
            "email": lambda: (
                f"{self.pick(GIVEN).lower()}.{self.digits(2)}@{self.pick(['example.org', 'mail.example.com'])}"
            ),
            "ssn": lambda: f"{self._random.randint(100, 665)}-{self.digits(2)}-{self.digits(4)}",
            "mrn": lambda: self.pick(
                [self.digits(8), self.digits(7), f"{self.digits(3)}-{self.digits(2)}-{self.digits(3)}"]
            ),
            "plan": lambda: self.pick([f"{self.letters(3)}{self.digits(9)}", f"{self.digits(9)}-{self.digits(2)}"]),
            "account": lambda: self.pick([self.digits(10), f"{self.digits(4)}-{self.digits(6)}"]),
            "license": lambda: self.pick([f"{self.letters(1)}{self.digits(7)}", f"{self.letters(2)}-{self.digits(6)}"]),
            "vin": lambda: "1HGCM" + self.digits(5) + self.letters(1) + self.digits(6),
            "plate": lambda: f"{self.digits(1)}{self.letters(3)}{self.digits(3)}",
            "device": lambda: self.pick([f"SN-{self.digits(6)}", f"{self.letters(3)}{self.digits(7)}", self.digits(9)]),
            "url": lambda: self.pick(["https://portal.example.org/p/", "www.familyblog-example.com/"]) + self.digits(5),
            "ip": lambda: ".".join(str(self._random.randint(11, 223)) for _ in range(4)),
            "id": lambda: self.pick([f"{self.letters(1)}{self.digits(2)}-{self.digits(5)}", self.digits(9)]),
        }
        return makers[slot]()

    def _date(self) -> str:
        return self.pick(
            [form(date(2014, 1, 1) + timedelta(days=self._random.randint(0, 3000))) for form in _DATE_FORMS]
        )

    def _phone(self) -> str:
        area, middle, last = self.digits(3), self.digits(3), self.digits(4)
        return self.pick(
            [
                f"({area}) {middle}-{last}",
                f"{area}-{middle}-{last}",
                f"{area}.{middle}.{last}",
                f"+1 {area} {middle} {last}",
            ]
        )


KIND_OF: Final = {
    **dict.fromkeys(("full", "last_first", "family", "given"), "name"),
    **dict.fromkeys(("date", "short_date", "birth"), "date"),
    "age": "age over 89",
    **dict.fromkeys(("street", "city", "city_state_zip", "hospital"), "place"),
    "vin": "vehicle",
    "plate": "vehicle",
}
"""The kind of a slot, where its name is not the kind."""
