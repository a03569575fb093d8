"""Which jurisdictions are drawn and read, and how their serials look.

Patterns: `L` a letter that the jurisdiction issues, `D` a digit, `P` a digit but 0, `C` a
consonant, `=X` the literal X; space, `-` and `.` are drawn between characters, `s` is an emblem or
seal, `|` breaks the line of a two-line plate. Serials change over the years; the patterns are the
common ones and only shape synthetic plates, they are never a rule for reading (vanity plates
exist).
"""

import string
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""

SEPARATORS = " -.s|"
_CONSONANTS = "BCDFGHJKLMNPRSTVWXYZ"
_CONFUSABLE = {"L": "OOOOOOQQDDIBSZGUVMHNWKX", "D": "0182569", "P": "182569"}
_CYRILLIC = "ABCEHIKMOPTXY"
"""What Latin letters Cyrillic has too: the others are not issued where both are read."""


@dataclass(frozen=True)
class Jurisdiction:
    """One issuing state: the code the reader answers with, and what its plates show."""

    code: str
    family: str
    """`us`, `eu`, `br`, `ar` or `other`: chooses the layout."""
    patterns: tuple[str, ...]
    title: str = ""
    slogan: str = ""
    background: Colour = (245, 245, 245)
    ink: Colour = (25, 20, 20)
    band: Colour | None = None
    """Colour of the strip at the left edge, where there is one."""
    band_letters: str = ""
    letters: str = string.ascii_uppercase
    """Those on its plates: many leave out what looks like a digit."""


def _us(code: str, title: str, slogan: str, patterns: str, colours: str = "w") -> Jurisdiction:
    paper, ink = _US_COLOURS[colours]
    return Jurisdiction(f"US-{code}", "us", tuple(patterns.split(",")), title, slogan, paper, ink)


_US_COLOURS: dict[str, tuple[Colour, Colour]] = {
    "w": ((244, 246, 246), (110, 40, 20)),  # dark blue on white
    "k": ((240, 242, 242), (30, 25, 25)),  # black on white
    "r": ((243, 243, 246), (40, 30, 170)),  # red on white
    "g": ((240, 246, 240), (60, 95, 20)),  # green on white
    "G": ((80, 120, 20), (245, 250, 245)),  # white on green
    "B": ((120, 70, 15), (100, 205, 235)),  # gold on blue
    "y": ((120, 215, 245), (90, 35, 10)),  # blue on buff
    "b": ((235, 220, 195), (105, 35, 15)),  # blue on pale blue
}

_US = (
    _us("AK", "ALASKA", "THE LAST FRONTIER", "LLL DDD", "y"),
    _us("AL", "ALABAMA", "STARS FELL ON", "DDLDDDD,DLDDDDL,DDLDDLL", "r"),
    _us("AR", "ARKANSAS", "THE NATURAL STATE", "DDD LLL,LLL DDL", "r"),
    _us("AZ", "ARIZONA", "GRAND CANYON STATE", "LLLDDDD,LLL-DDD,DDD-LLL", "g"),
    _us("CA", "CALIFORNIA", "DMV.CA.GOV", "DLLLDDD,DLLLDDD,DLDDDDD,DDDDDLD", "w"),
    _us("CO", "COLORADO", "", "DDD-LLL,LLL-DDD,LLLsLDD", "G"),
    _us("CT", "CONNECTICUT", "CONSTITUTION STATE", "DDD-LLL,LL-DDDDD,LLL-DDD", "b"),
    _us("DC", "WASHINGTON, DC", "TAXATION WITHOUT REPRESENTATION", "LLsDDDD,LL-DDDD", "w"),
    _us("DE", "DELAWARE", "THE FIRST STATE", "DDDDDD,DDDDD,LDDDDD", "B"),
    _us("FL", "FLORIDA", "SUNSHINE STATE", "LDDsDLL,LDDsLLL,LLLsLDD,DDDsLLL", "g"),
    _us("GA", "GEORGIA", "PEACH STATE", "LLLsDDDD,DDDDsLLL,LLLDDDD", "k"),
    _us("HI", "HAWAII", "ALOHA STATE", "LLL DDD", "k"),
    _us("IA", "IOWA", "", "DDD LLL,LLL DDD", "b"),
    _us("ID", "IDAHO", "FAMOUS POTATOES", "LDDDDDD,DLDDDDD,DL LDDDD,DL LDDD", "w"),
    _us("IL", "ILLINOIS", "LAND OF LINCOLN", "DDD DDDD,LDD DDDD,LLDDDDD,LL DDDDD", "r"),
    _us("IN", "INDIANA", "LINCOLNS BOYHOOD HOME", "DDDLLL,DDDL,DDDLL,DDsLDDDD", "w"),
    _us("KS", "KANSAS", "", "DDD LLL,LLL DDD", "w"),
    _us("KY", "KENTUCKY", "UNBRIDLED SPIRIT", "DDDsLLL,DDD LLL", "w"),
    _us("LA", "LOUISIANA", "SPORTSMANS PARADISE", "LLL DDD,DDDLLL", "w"),
    _us("MA", "MASSACHUSETTS", "THE SPIRIT OF AMERICA", "DDD LLD,DDDL LD,DDLL DD,DDD-LLL", "r"),
    _us("MD", "MARYLAND", "", "LLLsDDD,DLLDDDD,DDDLDDD,LDDDDDD", "k"),
    _us("ME", "MAINE", "VACATIONLAND", "DDDD LL,DDDDLL", "k"),
    _us("MI", "MICHIGAN", "GREAT LAKES", "LLL DDDD,DLLL DD,DLL LDD", "w"),
    _us("MN", "MINNESOTA", "10,000 LAKES", "DDDsLLL,LLLsDDD,LLL-DDD", "b"),
    _us("MO", "MISSOURI", "SHOW-ME STATE", "LLDsLDL,DDDsLLL,LLD LDL", "w"),
    _us("MS", "MISSISSIPPI", "", "LLL DDD,LLsDDDD", "b"),
    _us("MT", "MONTANA", "BIG SKY COUNTRY", "DDsDDDDL,DsDDDDDL,DDD LLL", "w"),
    _us("NC", "NORTH CAROLINA", "FIRST IN FLIGHT", "LLL-DDDD,LLLDDDD", "w"),
    _us("ND", "NORTH DAKOTA", "PEACE GARDEN STATE", "DDD LLL,LLL DDD", "k"),
    _us("NE", "NEBRASKA", "", "LLL DDD,DD-LDDD,D-LDDDD", "k"),
    _us("NH", "NEW HAMPSHIRE", "LIVE FREE OR DIE", "DDD DDDD,DDDDDD", "g"),
    _us("NJ", "NEW JERSEY", "GARDEN STATE", "LLLsDDL,LDDsLLL,LLsDDDL,LLL DDL", "y"),
    _us("NM", "NEW MEXICO", "LAND OF ENCHANTMENT", "DDDsLLL,LLLsDDD", "y"),
    _us("NV", "NEVADA", "THE SILVER STATE", "DDDsLLL,DD-LDDD,DDLsDDD", "w"),
    _us("NY", "NEW YORK", "EMPIRE STATE", "LLLsDDDD,LLL-DDDD", "y"),
    _us("OH", "OHIO", "BIRTHPLACE OF AVIATION", "LLL DDDD,LLDD LL,LLL-DDDD", "w"),
    _us("OK", "OKLAHOMA", "NATIVE AMERICA", "DDDLLL,LLL DDD", "r"),
    _us("OR", "OREGON", "", "DDDsLLL,LLLsDDD", "w"),
    _us("PA", "PENNSYLVANIA", "KEYSTONE STATE", "LLL-DDDD,LLLsDDDD", "w"),
    _us("RI", "RHODE ISLAND", "OCEAN STATE", "LL-DDD,DDDDDD,DDDDD", "b"),
    _us("SC", "SOUTH CAROLINA", "SMILING FACES", "DDDsLLL,LLLsDDD,LLL DDD", "w"),
    _us("SD", "SOUTH DAKOTA", "GREAT FACES GREAT PLACES", "DLL DDD,DDL DDD,DLLDDD", "b"),
    _us("TN", "TENNESSEE", "THE VOLUNTEER STATE", "DDDsLLL,LDD-DDL,LLL DDD", "g"),
    _us("TX", "TEXAS", "THE LONE STAR STATE", "LLLsDDD,DDDsLLL,LLDsLDDD,DLDsDDD,LLL-DDDD", "k"),
    _us("UT", "UTAH", "LIFE ELEVATED", "DDDsLLL,LDDsDLL,DDD LLL", "w"),
    _us("VA", "VIRGINIA", "", "LLL-DDDD,LLL DDDD,LLL-DDD", "w"),
    _us("VT", "VERMONT", "GREEN MOUNTAIN STATE", "LLL DDD", "G"),
    _us("WA", "WASHINGTON", "EVERGREEN STATE", "DDD-LLL,LLLDDDD,DDDLLL", "w"),
    _us("WI", "WISCONSIN", "AMERICAS DAIRYLAND", "DDD-LLL,LLL-DDDD,LLL-DDD", "k"),
    _us("WV", "WEST VIRGINIA", "WILD, WONDERFUL", "DLL DDD,LLL DDD,LL DDDD", "w"),
    _us("WY", "WYOMING", "", "DD DDDDD,DsDDDL,DDsDDDD,DDsDDDL", "b"),
)

_EU_BLUE: Colour = (160, 60, 10)
_YELLOW: Colour = (30, 200, 245)
_RED: Colour = (40, 30, 180)


def _eu(
    code: str, patterns: str, *, paper: Colour = (243, 245, 245), ink: Colour = (25, 20, 20),
    band: Colour | None = _EU_BLUE, without: str = "", letters: str = string.ascii_uppercase,
) -> Jurisdiction:  # fmt: skip
    issued = "".join(letter for letter in letters if letter not in without)
    return Jurisdiction(
        f"EU-{code}", "eu", tuple(patterns.split(",")), "", "", paper, ink, band, code, issued
    )


_EU = (
    _eu("A", "LsPDDDDL,LLsPDDLL,LL-PDDLL,L-PDDDDL,LLsPDDDL,L|PDDDL"),
    _eu("B", "LLL-DDD,P-LLL-DDD,P-LLL-DDD,PLLL|DDD", ink=_RED, without="IOQ"),
    _eu("BG", "LL DDDD LL,L DDDD LL,LLLL|DDDD", letters=_CYRILLIC),
    _eu("BY", "DDDD LL-D", band=None, letters=_CYRILLIC),
    _eu("CH", "LLsPDDDD,LL PDDDDD,LL PDDD,LL|PDDDD,LL|PDDD", band=None),
    _eu("CY", "LLL DDD"),
    _eu("CZ", "PLD DDDD,PLDsDDDD,LLL DD-DD,PLD|DDDD,PLL DDDD", without="GOQW"),
    _eu("D", "LsLL PDDD,LLsLL PDD,LLLsLL PD,LLLsL PDD,LLsL PDD,LsLL PDD,LLLsLL PDD,LLsLL PD,"
        "LLsLL PDDD,LL|L PDD,LLL|LL PD,L|LL PDDD"),
    _eu("DK", "LL PD DDD,LL PDDDD,LL PD|DDD"),
    _eu("E", "DDDD CCC,DDDD CCC,L DDDD LL,LL DDDD L"),
    _eu("EST", "DDD LLL"),
    _eu("F", "LL-DDD-LL,LL-DDD-LL,PDDD LL DD,PDD LLL DD,PDD LL DD,LL|DDD LL,PDD|LL DD",
        without="IOU"),
    _eu("FIN", "LLL-PDD,LLL-PD"),
    _eu("GB", "LLDD LLL,LLDD LLL,LDDD LLL,LLDD|LLL,LDD|LLL", paper=(235, 240, 240),
        without="IQ"),
    _eu("GR", "LLL-PDDD,LLL PDDD,LLL|PDDD", letters="ABEZHIKMNOPTYX"),
    _eu("H", "LLLsDDD,LLL-DDD"),
    _eu("HR", "LLsDDDD-LL,LLsDDD-L,LLsDDD-LL"),
    _eu("I", "LL DDDLL,LLsDDDLL,LL|DDDDD", without="IOQU"),
    _eu("IRL", "DD-L-PDDDD,DD-LL-PDDD,DD-L-PDDD"),
    _eu("IS", "LL DDD,LLsLDD,LL|DDD"),
    _eu("L", "LL DDDD,DDDDD", paper=_YELLOW),
    _eu("LT", "LLLsDDD,LLL|DDD"),
    _eu("LV", "LL-PDDD,LL-PDD"),
    _eu("M", "LLLsDDD"),
    _eu("MK", "LLsDDD-LL,LL DDDD LL", band=_RED),
    _eu("MNE", "LLsLLDDD,LL DD|DDD"),
    _eu("N", "LL PDDDD,LL|PDDDD"),
    _eu("NL", "DD-LLL-D,LL-DD-LL,DD-LL-LL,LL-LL-DD,L-DDD-LL,LL-DDD-L,DDLL|DD,LL|DD-LL",
        paper=_YELLOW, letters="BDFGHJKLNPRSTVXZ"),
    _eu("P", "DD-DD-LL,DD-LL-DD,LL-DD-DD"),
    _eu("PL", "LL DDDDD,LLL DDDD,LLL LDDD,LL DDDDL,LLL DDLL,LLL DLDD,LL|DDDDD,LLL|LDDD"),
    _eu("RO", "LL DD LLL,=B DDD LLL,=B DD LLL,LL DD|LLL"),
    _eu("RUS", "LDDDLL DD,LDDDLL DDD", band=None, letters=_CYRILLIC),
    _eu("S", "LLL DDD,LLLsDDD,LLL|DDD,LLL DDL", without="IQVO"),
    _eu("SK", "LLsDDDLL,LL-DDDLL,LL|DDDLL"),
    _eu("SLO", "LLsLL-DDD,LLsDD-DLL,LL|LL-DDD"),
    _eu("SRB", "LLsDDD-LL,LLsDDDD-LL"),
    _eu("TR", "DD LLL DD,DD LL DDD,DD L DDDD"),
    _eu("UA", "LL DDDD LL", letters=_CYRILLIC),
)  # fmt: skip

_OTHERS = (
    Jurisdiction(
        "BR",
        "br",
        ("LLL-DDDD", "LLL-DDDD", "LLL-DDDD", "LLL-DDDD", "LLLDLDD", "LLL|DDDD"),
        "SP-SAO PAULO",
    ),
    Jurisdiction(
        "AR", "ar", ("LLL DDD", "LL DDD LL"), "ARGENTINA", "", (35, 30, 30), (245, 245, 245)
    ),
)

UNKNOWN = "unknown"
"""The reader's answer when it cannot tell; also the code of plates drawn in no state's manner."""

_UNKNOWN = Jurisdiction(
    UNKNOWN, "other",
    ("LLLDDD", "DDDLLL", "LLDDDD", "LLLDDDD", "DDDDD", "LLDDLLDDDD", "LLLLDDD", "LDDDDD", "DDLDDDD",
     "LDDLLL", "LLDDLL", "LLDLLL", "DLLDDD", "LLDDDLL", "DDDDLLL", "LLL|DDD", "DDD|DDD",
     "LL DD|DDDD"),
)  # fmt: skip

JURISDICTIONS: dict[str, Jurisdiction] = {
    entry.code: entry for entry in (*_US, *_EU, *_OTHERS, _UNKNOWN)
}
"""By code, in the order of the reader's jurisdiction outputs."""

_VANITY = (
    "HELLO", "GODS", "LUV2SKI", "4EVER", "MYTOY", "GRAMMY", "COUGAR", "HYDRO1", "QUILLS",
    "FAST1", "SUNNY", "BLUES", "DRMOM", "GOLFER", "GREEN1", "ZOOM", "RACER", "TEACHR",
    "NURSE1", "COOKIE", "BEACH", "MUSIC", "DOGLVR", "CATS4ME", "IMLATE", "NOGAS", "EV4ME",
    "BIGRED", "WINNER", "JAZZ", "SMILE", "FLYBOY", "SKIPPER", "AWSOME", "OUTLAW", "THEKID",
    "MRFIX", "SURFER", "IRNMAN", "XPLORE", "GOOGLE",
)  # fmt: skip


def serial(jurisdiction: Jurisdiction, rng: np.random.Generator, *, vanity: float = 0.0) -> str:
    """A random serial with its separators, in the pattern language; `vanity` is a probability."""
    if rng.random() < vanity:
        return _vanity(rng)
    pattern = jurisdiction.patterns[int(rng.integers(len(jurisdiction.patterns)))]
    out: list[str] = []
    chars = iter(pattern)
    for char in chars:
        if char == "=":
            out.append(next(chars))
        elif char in SEPARATORS:
            out.append(char)
        else:
            out.append(_draw(char, rng, jurisdiction.letters))
    return "".join(out).strip("|")


def _draw(kind: str, rng: np.random.Generator, letters: str = string.ascii_uppercase) -> str:
    alphabet = {"L": letters, "D": string.digits, "P": "123456789", "C": _CONSONANTS}[kind]
    if kind != "C" and rng.random() < 0.35:
        # What is hard to tell apart is worth more practice.
        alphabet = "".join(c for c in _CONFUSABLE[kind] if c in alphabet)
    return alphabet[int(rng.integers(len(alphabet)))]


def _vanity(rng: np.random.Generator) -> str:
    if rng.random() < 0.3:
        return _VANITY[int(rng.integers(len(_VANITY)))]
    length = int(rng.integers(2, 9))
    kinds = "LLLD" if rng.random() < 0.6 else "LD"
    text = "".join(_draw(kinds[int(rng.integers(len(kinds)))], rng) for _ in range(length))
    if length > 3 and rng.random() < 0.35:
        cut = int(rng.integers(1, length))
        text = text[:cut] + " -s"[int(rng.integers(3))] + text[cut:]
    return text


def plain(serial_text: str) -> str:
    """The serial's characters alone: what a reader should answer."""
    return "".join(char for char in serial_text if char not in SEPARATORS)


def separated(text: str, jurisdiction: Jurisdiction, rng: np.random.Generator) -> str:
    """`text` with the separators of a one-line pattern it fits, else broken at letter/digit."""
    text = plain(text.upper())
    fitting = [p for p in jurisdiction.patterns if "|" not in p and _fits(text, p)]
    if fitting:
        chars = iter(text)
        pattern = fitting[int(rng.integers(len(fitting)))].replace("=", "")
        return "".join(c if c in SEPARATORS else next(chars) for c in pattern)
    for index in range(2, len(text)):
        if text[index].isdigit() != text[index - 1].isdigit():
            return f"{text[:index]} {text[index:]}"
    return text


def _fits(text: str, pattern: str) -> bool:
    kinds = [c for c in pattern if c not in SEPARATORS and c != "="]
    if len(kinds) != len(text):
        return False
    return all(
        char.isdigit() if kind in "DP" else char == kind if "=" in pattern and kind == "B"
        else char.isalpha()
        for char, kind in zip(text, kinds, strict=True)
    )  # fmt: skip
