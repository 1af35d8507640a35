"""Words that announce the name of a person."""

from __future__ import annotations

from typing import Final

from corpusmill.schemas.deidentification.patterns import compiled
from corpusmill.schemas.deidentification.words import Words

TITLES: Final = "titles"
LABELS: Final = "labels"
STRICT: Final = "strict"
RELATIVES: Final = "relatives"

_TITLES: Final = frozenset(
    "dr drs mr mrs ms miss mx prof professor doctor rev reverend sgt sergeant capt captain lt lieutenant sra senor"
    " senora judge officer attorney rabbi imam fr pastor deacon nurse monsieur madame mme herr frau dra chaplain"
    " detective deputy trooper medic medics det investigator paramedic emt counselor secretary coach principal nanny"
    " aide".split()
)
_ABBREVIATED: Final = frozenset("rn md np pa lpn cna pt ot rt cm sw pca mt cna lvn tech hcp".split())
"""Professions as abbreviations before a name: `RN Lopez`."""
ROLES: Final = frozenset(
    "surname attending pcp surgeon assistant anesthesiologist anesthetist radiologist pathologist resident fellow"
    " cardiologist oncologist psychiatrist psychologist author provider physician clinician interpreter therapist"
    " caregiver hcp proxy poa signature scribe scrub circulator technologist technician tech sonographer nurse rn"
    " guarantor subscriber insured policyholder employer guardian donor recipient witness informant historian nok attn"
    " attention ordering referring anesthesia assistants surgeons team staff consultant midwife dentist pharmacist"
    " dietitian examiner interviewer caller requestor performer operator perfusionist".split()
)
_LABEL_PAIRS: Final = frozenset(
    tuple(pair.split("_"))
    for pair in (
        "patient_name pt_name full_name first_name last_name middle_name maiden_name preferred_name family_name"
        " legal_name"
        " given_name attending_physician attending_md attending_provider attending_surgeon primary_care case_manager"
        " social_worker health_proxy care_proxy of_attorney of_kin emergency_contact responsible_party legal_guardian"
        " policy_holder submitted_by ordered_by read_by performed_by case_mgr"
    ).split()
)
_BY: Final = frozenset(
    "signed authenticated verified approved finalized attested dictated transcribed typed entered documented recorded"
    " reviewed interpreted read performed ordered reported seen examined written prepared completed collected authored"
    " administered scribed witnessed validated updated cosigned co-signed submitted grossed electronically".split()
)
_STRICT: Final = frozenset(
    "patient pt name re mother father spouse wife husband son daughter guardian contact from to cc brother sister"
    " partner friend neighbor subject client copies phoned".split()
)
RELATIVE_WORDS: Final = frozenset(
    "wife husband spouse partner son daughter mother father brother sister aunt uncle niece nephew grandson"
    " granddaughter grandmother grandfather grandchild friend neighbor neighbour caregiver roommate guardian fiancé"
    " fiancée fiance fiancee girlfriend boyfriend gf bf cousin stepson stepdaughter stepmother stepfather stepbrother"
    " stepsister twin mom mum dad mommy daddy widow widower son-in-law daughter-in-law sister-in-law brother-in-law"
    " mother-in-law father-in-law colleague supervisor boss coworker co-worker sibling siblings sons daughters"
    " brothers sisters children twins kids parents teacher landlord landlady employer babysitter ex-wife ex-husband"
    " ex-boyfriend ex-girlfriend grandma grandpa granny papa mama dtr dtr-in-law sponsor lawyer passenger driver"
    " worker child baby".split()
)
_NAMED: Final = frozenset(
    "per paged signed seeing saw examined evaluated regarding concerning about that assisted helped consulted"
    " patient pt for by with w from to told informed notified attorney lawyer referral called phoned asked met knows"
    " and".split()
)
_SURE: Final = frozenset("named née nee aka dear nicknamed".split())
_SURE_PAIRS: Final = frozenset(
    tuple(pair.split("_"))
    for pair in "name_is known_as goes_by introduced_as accompanied_by addressed_as hi_i'm is_called prefers_".split()
)
_CLOSING: Final = frozenset(
    "sincerely regards respectfully truly cordially thanks warmly signed yours wishes you submitted best".split()
)
_LINK: Final = compiled(r"[)\s]*[:=][ \t(]*\n?[ \t]*\Z")
_AFTER_RELATIVE: Final = frozenset((" ", ", ", " (", ": ", " - ", ', "', ' "'))
SPEECH: Final = frozenset(
    "reports report denies denied presents presented states stated complains tolerated underwent feels felt slept"
    " continues remains remained returned returns came called calls arrived lives works appears says said requests"
    " requested wants needs refused agreed agrees asked asks spoke told tells phoned rang verbalized understands"
    " explained admitted recalled recalls thinks thought believes whispered cried nodded smiled joined visited visits"
    " brought took takes is was has had will cannot didn't doesn't won't moved married knows knew saw sees noticed"
    " noted found helped helps wrote writes gave also then again did does could would should seemed seems looks looked"
    " sat stayed sleeps drinks smokes drove".split()
)
"""Verbs after the name of a person."""
_WEAK_SPEECH: Final = frozenset("is was has had will also then again did does could would should seems looks".split())
CREDENTIALS: Final = compiled(
    r"(?<=\w)(?:\.?,[ \t]*|[ \t]+)(?:M\.?D\b\.?|D\.O\.|R\.?N\b\.?|N\.?P\b\.?|PA-C|Ph\.?D\b\.?|L\.?P\.?N\b\.?|CRNA\b"
    r"|DDS\b|DMD\b"
    r"|DPM\b|PharmD\b|Pharm\.D\.|MSW\b|LCSW\b|LICSW\b|APRN\b|ARNP\b|FNP(?:-[A-Z]+)?\b|DNP\b|CNM\b|MBBS\b|MPH\b|FACS\b|FACC\b"
    r"|FACP\b|Esq\b|BSN\b|MSN\b|CNA\b|CMA\b|RRT\b|OTR/L|DPT\b|CCC-SLP|RDN\b|LVN\b|CWON\b|CWOCN\b|PsyD\b|LMFT\b|LPC\b|LMHC\b"
    r"|PGY-?\d|MS[ -]?(?:IV|III|3|4)\b)"
    r"|(?<=\w),[ \t]*(?:PT|OT|RT|RD|PA|DO|MA|NP|CM|SW|Jr|Sr|II|III|IV)\b\.?"
)


def cue_before(words: Words, index: int) -> str | None:
    """Return how surely the words before the word at *index* announce a name; None if they do not.

    `TITLES` and `LABELS` announce a name; after `STRICT` labels and `RELATIVES` other words are as likely.
    """
    if index == 0:
        return None
    gap, before = words.gap(index - 1), words[index - 1]
    one = before.word
    two = words[index - 2].word if index > 1 and len(words.gap(index - 2)) < 4 else ""
    if gap in (" ", ". ", "  ", "\t"):
        return _after_space(one, two, before.is_upper, gap)
    if "\n" in gap and (one in _CLOSING) and gap.strip(" ,.\n\t-") == "":
        return LABELS
    if one in RELATIVE_WORDS and gap in _AFTER_RELATIVE:
        return RELATIVES
    if (":" in gap or "=" in gap) and _LINK.match(gap):
        if one in ROLES or (two, one) in _LABEL_PAIRS or (one == "by" and two in _BY):
            return LABELS
        if one in ("name", "names") and two in RELATIVE_WORDS:
            return LABELS
        if one in ("name", "patient", "pt", "client"):
            return LABELS
        return STRICT if one in _STRICT or one in _TITLES else RELATIVES if one in RELATIVE_WORDS else None
    if gap == "/" and one == "c":
        return STRICT
    if gap in ("/ ", "/") and one == "w":
        return STRICT
    return None


def _after_space(one: str, two: str, is_upper: bool, gap: str) -> str | None:
    if one in _TITLES:
        return TITLES
    if gap == ". ":
        return None
    if one in _ABBREVIATED and is_upper:
        return RELATIVES
    if one in RELATIVE_WORDS:
        return RELATIVES
    if one == "by" and two in _BY:
        return LABELS
    if one in _SURE or (two, one) in _SURE_PAIRS:
        return LABELS
    if one in ROLES:
        return RELATIVES
    return STRICT if one in _NAMED else None


def speaks_after(words: Words, index: int) -> bool:
    """Return whether a verb of persons follows the word; weak ones (`is`, `will`) do not count."""
    if index + 1 >= len(words) or words.gap(index) not in (" ", "\n"):
        return False
    following = words[index + 1]
    if following.word == "c" and words.gap(index + 1) == "/":  # c/o: complains of
        return True
    return following.word in SPEECH and following.word not in _WEAK_SPEECH and not following.is_capitalized
