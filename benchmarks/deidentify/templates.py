"""Sentences of clinical notes, with slots for identifiers.

The sentences of each set were written without knowing how the detectors handle them, and measured once before the
detectors were changed for their sake: `results/deidentify.md` has these first figures, which are the ones that mean
something, and those afterwards. `negatives` are sentences without identifiers that look as if they had some.
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

SECOND: Final = Templates(
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

THIRD: Final = Templates(
    notes={
        "discharge summary": (
            "DISCHARGE NOTE - {hospital}",
            "Name: {last_first}   Medical Rec #: {mrn}   Birth date: {birth}",
            "Hospital stay: {date} to {date}",
            "Surgeon: {full}, MD, FACS",
            "Mr. {family}, who turned {age} last week, was found by his neighbor, {full}.",
            "He returns to his apartment at {street}, {city_state_zip}, with home nursing.",
            "Pharmacy phone: {phone}. Records may be faxed to {fax}.",
            "Social Security # {ssn}; Medicare number {plan}; guarantor account {account}.",
            "The insulin pump (serial no. {device}) was restarted on {date}.",
        ),
        "progress note": (
            "Hospital day 3, {date}",
            "Overnight {full} had two episodes of emesis.",
            "Dr. {family} from surgery recommends observation. I agree with Dr. {family}.",
            "Family meeting with her sister {given} and her son, {full}, took place on {date}.",
            "She owns a sedan with license plate {plate} and VIN {vin}.",
            "Order number {id}. The patient uses the site {url} and writes from {email}.",
            "Author: {full}, NP, {date}",
        ),
        "referral letter": (
            "{hospital}\n{street}\n{city_state_zip}\nTel: {phone}  Fax: {fax}",
            "{date}",
            "Dear Dr. {full}:",
            "Re: {full}, date of birth {birth}",
            "Many thanks for referring this pleasant {age}-year-old lady, Mrs. {family}.",
            "She grew up in {city} and still lives in {city}.",
            "She carries driver's license number {license} and policy # {plan}.",
            "Yours sincerely,\n{full}, MD, PhD",
        ),
        "nursing note": (
            "Received report from {full}, RN, at the bedside.",
            "Pt {full}, MRN {mrn}, resting comfortably.",
            "Caregiver {full} called; call back number {phone}.",
            "Telehealth visit on {short_date} from IP {ip}.",
            "Pastor {family} visited. Patient is a {age} y/o.",
            "Wheelchair serial number {device}; visit number {id}.",
        ),
    },
    negatives=(
        "Blood pressure 142/88, heart rate 101, temperature 101.3 F.",
        "Pain went from 8/10 to 3/10 after morphine 2 mg.",
        "Hgb 8.9, Plt 145,000, Cr 0.9, troponin 0.04 ng/mL.",
        "Suspected Guillain-Barre syndrome versus Lyme disease.",
        "Swan-Ganz catheter removed; Penrose drain stays; Hoffmann sign absent.",
        "Cushing syndrome excluded; Kernig sign negative; Ranson score 2.",
        "KRAS G12D and EGFR exon 19 deletion; ICD-10 C34.90.",
        "The wound may drain; march in place was tolerated for 2 minutes.",
        "Amoxicillin 875 mg twice a day for 10 days, then stop.",
        "Court of appeal, lane of traffic and drive to succeed were discussed.",
        "Bed 14, room 205, precautions in place.",
        "Green sputum, black stools and white patches were described.",
        "Epworth score 11/24, MMSE 27/30, Karnofsky 80.",
        "Enoxaparin 40 mg daily, vancomycin 1250 mg every 12 hours.",
        "Urine culture grew 100,000 CFU/mL; ferritin 1020.",
        "Grip strength 5/5 on the right and 4/5 on the left.",
    ),
)

HELD_OUT: Final = Templates(
    notes={
        "discharge summary": (
            "Summary of stay at {hospital}",
            "Pt name: {full} | Chart no. {mrn} | D.O.B. {birth}",
            "Admit: {date}; discharge: {date}.",
            "Attending physician: {full}. Primary care physician: {full}",
            "{full} is an otherwise independent {age}-year-old widow.",
            "Ms. {family} resides at {street}, {city}, and moved from {city} two years ago.",
            "Her son-in-law, {full}, holds power of attorney (cell {phone}).",
            "SSN: {ssn}. Subscriber ID {plan}. Acct no. {account}.",
            "New CPAP machine, S/N: {device}, delivered {date}.",
        ),
        "progress note": (
            "Date of service: {date}",
            "Patient seen with the team of Dr. {full}.",
            "Mr. {family}'s pain is better. Mr. {family} walked twice.",
            "Police report: car with plate {plate}, VIN {vin}.",
            "Accession {id}. Copy at {url}. Questions to {email}.",
            "Transcribed by {full} on {date}; signed by {full}, MD",
        ),
        "referral letter": (
            "From: {full}, MD\nTo: {full}, MD",
            "Concerning {full}, born on {birth}, medical record {mrn}",
            "Dear Prof. {family},",
            "I would be grateful if you could see Mrs. {full}, of {street}, {city_state_zip}.",
            "She has been under my care since {date}. Her husband {given} will drive her.",
            "Her nursing license number is {license}; her passport is {license}.",
            "Reply by fax ({fax}) or phone ({phone}).",
            "Best regards,\nDr. {full}",
        ),
        "nursing note": (
            "{full}, RN, took over care at shift change.",
            "Mother {given} at bedside, will return on {short_date}.",
            "Dr. {family} paged; he answered from {phone}.",
            "Interpreter: {full}. Chaplain: Fr. {family}.",
            "Remote monitor reports from {ip}, unit serial number {device}.",
            "Wristband reads {last_first}, case number {id}, age {age}.",
        ),
    },
    negatives=(
        "BP 96/54, pulse 110, O2 sat 91% on room air.",
        "Headache rated 6/10, nausea 2/10, mood 4/10.",
        "AST 45, ALT 62, total bilirubin 1.9 mg/dL, lactate 2.2.",
        "Differential includes Addison disease and Sjogren syndrome.",
        "Yankauer suction at bedside; Hemovac drain emptied; Romberg negative.",
        "Hashimoto thyroiditis on levothyroxine 88 mcg.",
        "JAK2 V617F positive; ICD-10 D45; LOINC 4548-4.",
        "He may bathe; will march through physical therapy twice weekly.",
        "Prednisone 40 mg for 5 days, then 20 mg for 5 days.",
        "Way of walking improved, drive to eat returned, main problem solved.",
        "Seen in room 7 of the infusion area, chair 12.",
        "Gray matter lesions; brown fat; white matter disease.",
        "NIHSS 4, Braden score 18, Wells score 1.5.",
        "Cefazolin 2000 mg every 8 hours, ketorolac 15 mg once.",
        "CSF: 1200 cells, protein 88, opening pressure 22.",
        "Visual acuity 20/40 right and 20/25 left.",
        "Pregnancy at 32 3/7 weeks, G2P1.",
    ),
)
