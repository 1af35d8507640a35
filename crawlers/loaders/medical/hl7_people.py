"""The people of an HL7 v2 message: who must not appear in its text."""

from __future__ import annotations

from typing import Final

from corpusmill.crawlers.loaders.medical.base import parsed_day
from corpusmill.crawlers.readers.hl7.message import Message, Segment
from corpusmill.schemas.deidentification.known import Gathered, Known

_NAMES: Final = {
    "PID": (5, 6, 9, 28),
    "NK1": (2, 30, 26),
    "GT1": (3, 4, 42, 45),
    "IN1": (6, 16),
    "IN2": (7, 40, 49),
    "MRG": (7,),
    "CON": (),
}
"""Fields with names of people (XPN): family name, given name, further names."""
_STAFF: Final = {
    "PV1": (7, 8, 9, 17, 52),
    "PV2": (13,),
    "PD1": (4,),
    "ORC": (10, 11, 12, 19),
    "OBR": (10, 16, 28, 32, 33, 34, 35),
    "OBX": (16, 25),
    "TXA": (5, 9, 10, 11, 22, 23),
    "EVN": (5,),
    "ROL": (4,),
    "DG1": (16,),
    "PR1": (8, 11, 12),
    "AIP": (3,),
    "SCH": (12, 16, 20),
    "NTE": (5,),
    "PRT": (5,),
    "STF": (3,),
    "FT1": (20, 21),
    "RXE": (13, 14),
}
"""Fields with staff (XCN): an id, then the name. In OBR-32 to 35 (NDL) a name has subcomponents."""
_ADDRESSES: Final = {
    "PID": (11,),
    "NK1": (4, 32),
    "GT1": (5,),
    "IN1": (5, 19),
    "PD1": (),
    "ORC": (22, 24),
    "OBX": (24,),
    "STF": (11,),
}
_PHONES: Final = {
    "PID": (13, 14, 40),
    "NK1": (5, 6, 31),
    "GT1": (6, 7, 18),
    "IN1": (7,),
    "ORC": (14, 23),
    "OBR": (17,),
    "STF": (10,),
    "PRT": (15,),
}
_NUMBERS: Final = {
    "PID": {2: "mrn", 3: "mrn", 4: "mrn", 18: "account", 19: "ssn", 20: "license", 21: "mrn"},
    "MRG": {1: "mrn", 2: "mrn", 3: "account", 4: "mrn", 5: "id"},
    "PV1": {5: "id", 19: "id", 50: "id"},
    "NK1": {33: "id", 37: "ssn", 12: "id"},
    "GT1": {2: "account", 12: "ssn", 19: "ssn"},
    "IN1": {8: "plan", 36: "plan", 49: "plan", 2: "plan"},
    "IN2": {1: "id", 2: "ssn", 6: "plan", 8: "plan", 61: "plan"},
    "ORC": {2: "id", 3: "id", 4: "id"},
    "OBR": {2: "id", 3: "id", 18: "id", 19: "id"},
    "TXA": {12: "id", 13: "id", 14: "id", 15: "id"},
    "SPM": {2: "id", 3: "id"},
    "OBX": {18: "device", 21: "id"},
    "PRT": {10: "device", 16: "device", 20: "device", 21: "device"},
    "MSH": {10: "id"},
}
_DATES_OF_BIRTH: Final = {"PID": (7,), "NK1": (16,), "GT1": (8,), "IN1": (18,)}
_EMPLOYERS: Final = {"NK1": (13,), "GT1": (16, 21, 51), "IN1": (11,), "IN2": (3,)}
_FACILITIES: Final = {"MSH": (4, 6), "ORC": (21,), "OBX": (23,), "PD1": (3,)}


def people(message: Message) -> Known:
    """Return what the fields of *message* say about the patient, relatives, staff, employers and insurers."""
    gathered = Gathered()
    for segment in message.segments:
        _add_names(gathered, message, segment)
        _add_places(gathered, message, segment)
        _add_numbers(gathered, message, segment)
    return gathered.known()


def patient_id(message: Message) -> str | None:
    """Return what identifies the patient: the first id of PID-3, or PID-2."""
    for segment in message.segments:
        if segment.name == "PID":
            return message.component_of(segment.raw(3), 1) or message.component_of(segment.raw(2), 1) or None
    return None


def _values(message: Message, segment: Segment, fields: tuple[int, ...]) -> list[str]:
    return [value for number in fields for value in message.repetitions(segment.raw(number))]


def _add_names(gathered: Gathered, message: Message, segment: Segment) -> None:
    for value in _values(message, segment, _NAMES.get(segment.name, ())):
        for part in _all_parts(message, value)[:4]:
            gathered.name(part)
    for value in _values(message, segment, _STAFF.get(segment.name, ())):
        parts = _all_parts(message, value)
        gathered.value(parts[0] if parts else None, "license")
        for part in parts[:5]:
            if not any(map(str.isdigit, part)):
                gathered.name(part)
    for value in _values(message, segment, _EMPLOYERS.get(segment.name, ())):
        gathered.value(next(iter(_all_parts(message, value)), None), "name")


def _add_places(gathered: Gathered, message: Message, segment: Segment) -> None:
    for value in _values(message, segment, _ADDRESSES.get(segment.name, ())):
        components = message.components(value)
        for number in (0, 1, 2, 8):
            gathered.value(components[number] if number < len(components) else None, "place")
        code = components[4] if len(components) > 4 else ""
        gathered.value(code, "place")
    for value in _values(message, segment, _FACILITIES.get(segment.name, ())):
        name = next(iter(_all_parts(message, value)), "")
        gathered.value(name if " " in name.strip() else None, "place")
    for value in _values(message, segment, _PHONES.get(segment.name, ())):
        components = message.components(value)
        gathered.value(components[0] if components else None, "phone")
        gathered.value(components[3] if len(components) > 3 and "@" in components[3] else None, "email")
        if len(components) > 6 and components[5].isdigit() and components[6].isdigit():
            gathered.value(f"{components[5]}-{components[6]}", "phone")


def _add_numbers(gathered: Gathered, message: Message, segment: Segment) -> None:
    for number, kind in _NUMBERS.get(segment.name, {}).items():
        for value in message.repetitions(segment.raw(number)):
            gathered.value(next(iter(message.components(value)), None), kind)
    for value in _values(message, segment, _DATES_OF_BIRTH.get(segment.name, ())):
        gathered.birth(parsed_day(value))


def _all_parts(message: Message, value: str) -> list[str]:
    """Return the components of *value*, divided into subcomponents: names may have both."""
    parts = value.split(message.component) if message.component else [value]
    return [
        message.text(piece)
        for part in parts
        for piece in (part.split(message.subcomponent) if message.subcomponent else [part])
    ]
