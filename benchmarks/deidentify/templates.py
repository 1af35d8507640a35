"""Sentences of clinical notes, with slots for identifiers.

The sentences of `TUNING` were used while the detectors were written. Those of `HELD_OUT` were written before and never
looked at for that; the figures that are reported come from them alone. `NEGATIVES` are sentences without identifiers
that look as if they had some; each set has its own.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Templates(NamedTuple):
    """The sentences of each type of note, and sentences that must stay as they are."""

    notes: dict[str, tuple[str, ...]]
    negatives: tuple[str, ...]


TUNING: Final = Templates(
    notes={
        "discharge summary": (
            "DISCHARGE SUMMARY",
            "Patient Name: {full}    MRN: {mrn}    DOB: {birth}",
            "Admission Date: {date}   Discharge Date: {date}",
            "Attending: {full}, MD   PCP: Dr. {family}",
            "Mrs. {family} is a {age}-year-old woman who lives at {street}, {city_state_zip}.",
            "She was transferred from {hospital} on {date}.",
            "Her daughter {given} can be reached at {phone}; SSN {ssn}.",
            "Insurance: member ID {plan}. Account #{account}.",
            "Pacemaker serial number {device} was interrogated on {date}.",
        ),
        "progress note": (
            "PROGRESS NOTE {date}",
            "Mr. {family} slept well. Seen with Dr. {full} this morning.",
            "{full} is a 64-year-old man admitted on {date}.",
            "He drives a truck, VIN {vin}, license plate {plate}.",
            "Accession number {id}; images at {url}.",
            "Electronically signed by {full}, RN on {date}",
        ),
        "referral letter": (
            "Dear Dr. {family},",
            "RE: {last_first}, DOB {birth}, MRN {mrn}",
            "Thank you for seeing {full}, who lives in {city}.",
            "Please fax the report to {fax} or email {email}. Fax: {fax}",
            "Driver's license {license}; DEA {license}.",
            "Sincerely,\n{full}, MD\n{hospital}\n{street}\n{city_state_zip}",
        ),
        "nursing note": (
            "Pt's wife, {given} {family}, called from {phone}.",
            "Portal login from IP address {ip} on {date}.",
            "Next visit on {short_date} with Nurse {family}.",
            "Emergency contact: {full} (son), phone {phone}",
            "Age {age}, resident of {city}.",
        ),
    },
    negatives=(
        "BP 120/80, HR 72, RR 16, T 98.6 F, SpO2 97% on 2 L.",
        "Pain is 5/10 at rest and 8/10 with movement.",
        "Creatinine 1.5 mg/dL, potassium 4.1 mmol/L, platelets 250,000.",
        "History of Parkinson disease and Crohn's disease.",
        "A Foley catheter and a Jackson-Pratt drain are in place.",
        "Wilson's disease was ruled out by ceruloplasmin.",
        "BRCA1 and HER2 testing is pending; ICD-10 code E11.9.",
        "She may need May-Thurner evaluation; strength 4/5 in the left arm.",
        "Metoprolol 25 mg twice daily, lisinopril 10 mg daily.",
        "Main complaint is shortness of breath for 3 days.",
        "Room 412, bed 2, is on the telemetry unit.",
        "White blood cell count 11.2, hemoglobin 9.8.",
        "Smoked 90 pack-years; ejection fraction 55-60%.",
        "NCT01234567 enrollment was discussed; SNOMED 44054006.",
    ),
)

HELD_OUT: Final = Templates(
    notes={
        "discharge summary": (
            "Hospital Course for {full} (Medical Record Number {mrn})",
            "Date of birth: {birth}. Date of admission: {date}.",
            "Responsible physician: {full}, DO",
            "This {age} year old gentleman, Mr. {full}, was brought in by ambulance from {street} in {city}.",
            "His wife {given} found him on the floor on {date}.",
            "He will be discharged to {hospital} tomorrow; the case manager, Ms. {family}, arranged it.",
            "Call the office at {phone} with questions. Fax {fax}.",
            "Social security number: {ssn}. Policy number {plan}. Billing account {account}.",
            "ICD device S/N {device} was implanted in {date}.",
        ),
        "progress note": (
            "Interval history ({date}): {full} reports less pain.",
            "Discussed with Dr. {family} and with the patient's brother, {full}.",
            "Mailing address: {street}, {city_state_zip}",
            "The accident involved the vehicle with plate number {plate} (VIN: {vin}).",
            "Specimen ID {id} was sent; results are posted on {url}",
            "Dictated by: {full}, MD. Reviewed on {date}.",
        ),
        "referral letter": (
            "To: Dr. {full}, {hospital}",
            "Regarding: Mrs. {full} (born {birth})",
            "I had the pleasure of seeing Ms. {family} on {date} in our clinic.",
            "She moved here from {city} and can be contacted by phone at {phone} or at {email}.",
            "Her new insurance is with subscriber number {plan}. Medical license no. {license}.",
            "With kind regards,\n{full}, MD",
        ),
        "nursing note": (
            "Spoke with daughter {full} by telephone ({phone}).",
            "Patient {full} was assisted to the chair; follow-up on {short_date}.",
            "Logged in remotely from {ip}.",
            "Hearing aid serial no. {device}. Chart number {mrn}.",
            "Patient is {age} years old and was visited by Rev. {family}.",
            "Signed: {full}, LPN, {date}",
        ),
    },
    negatives=(
        "Vitals: 118/76, pulse 64, resp 18, afebrile at 37.2 C.",
        "Rates the headache 7/10, down from 9/10 this morning.",
        "Sodium 138 mEq/L, glucose 182 mg/dL, INR 2.3, WBC 12,400.",
        "Known Alzheimer disease, Graves disease and Raynaud phenomenon.",
        "Hickman line flushed; Babinski sign negative; Glasgow Coma Scale 15.",
        "Murphy sign positive, McBurney point not tender.",
        "TP53 variant of uncertain significance; ICD-10 I50.23; CPT 99213.",
        "Patient may take the tablets with food; reflexes 2/4 throughout.",
        "Warfarin 5 mg daily, furosemide 40 mg IV, insulin 12 units.",
        "Drive reduced, way of life sedentary, place of care unchanged.",
        "Transferred to room 318 on 4 West.",
        "Brown sputum, green emesis, white count 14.",
        "Pap smear normal; Apgar scores 8 and 9; Lachman test negative.",
        "Heparin 5000 units subcutaneously every 8 hours.",
        "Viral load 1250000 copies/mL; CD4 350.",
    ),
)
