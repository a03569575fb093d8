"""What plate texts of each jurisdiction usually look like, and how much a text fits.

It is a prior, not a rule: personalised plates exist everywhere.
"""

import re
from functools import cache

# L a letter, N a digit, # a digit but 0, @ a letter of a Polish serial; else as in regular
# expressions, so that a literal L or N stands in brackets. From the jurisdictions' published serial
# formats, older ones included, without separators. Sets in brackets are the letters that a
# jurisdiction issues where it leaves some out, most of them for looking like digits: a letter that
# it does issue must not be missing, or the prior turns it into a digit.
_CYRILLIC = "[ABCEHIKMOPTXY]"  # letters that both alphabets have
_BRITISH, _BRITISH_YEAR = "[A-HJ-PR-Z]", "[A-HJ-NPR-TV-Y]"
_DUTCH = "[BDF-HJ-NPR-TV-Z]"  # no vowels, C or Q since 1978
_IRISH = "(?:C[ENW]?|D[L]?|G|K[EKY]|[L][DHKMS]?|M[HNO]|OY|R[N]|SO|T[NS]?|W[DHWX]?)"
_ITALIAN = "[A-HJ-NPR-TV-Z]"
_POLISH_LETTER = "[ACE-HJ-NPR-Y]"
_ROMANIAN = (
    "(?:B|A[BGR]|B[CHNRTVZ]|C[JLSTV]|D[BJ]|G[JLR]|H[DR]|I[FLS]|M[HMS]|[N]T|OT|PH|S[BJMV]|T[LMR]"
    "|V[LNS])"
)
_ROMANIAN_SERIAL = "[A-HJ-NPR-Z][A-PR-Z]{2}"
_SLOVENE = "(?:CE|GO|K[KPR]|[L]J|M[BS]|[N]M|PO|SG)"
_SPANISH = "[B-DF-HJ-NPR-TV-Z]"
_SWEDISH = "[A-HJ-PR-UW-Z]"
_TURKISH, _TURKISH_PROVINCE = "[A-PR-VYZ]", "(?:0#|[1-7]N|8[01])"
_FORMATS: dict[str, tuple[str, ...]] = {
    "BR": ("LLLNNNN", "LLLNLNN"),
    "AR": ("LLLNNN", "LLNNNLL"),
    "EU-A": ("L{1,2}#N{0,4}[A-PR-Z]{1,3}", "L{1,2}#N{2,5}", "L{1,2}[A-PR-Z]{1,5}#N?"),
    "EU-B": ("#?LLLNNN", "NNNLLL", "CDLLNNN", "LNNNL", "NNNLN"),
    "EU-BG": (f"{_CYRILLIC}{{1,2}}N{{4}}{_CYRILLIC}{{1,2}}",),
    "EU-BY": (f"N{{4}}{_CYRILLIC}{{2}}N",),
    "EU-CH": ("LL#N{0,5}",),
    "EU-CY": ("LLLNNN",),
    "EU-CZ": ("#[A-FH-NPR-VX-Z][A-FH-NPR-VX-Z0-9]NNNN", "L{2,3}N{4}"),
    "EU-D": ("L{1,3}L{1,2}#N{0,3}[EH]?", "L{1,3}#N{2,5}", "L{1,3}0[3-7]N{2,4}", "0N{3,6}L?"),
    "EU-DK": ("[A-HJ-NPR-VX-Z]{2}#N{3,4}",),
    "EU-E": (f"[HR]?NNNN{_SPANISH}{{3}}", "L{1,2}N{4}L{1,2}", "(?:CC|CD|OI)N{5,6}"),
    "EU-EST": ("NNNLLL", "NNLL"),
    "EU-F": (
        "[A-HJ-NP-TV-Z]{2}NNN[A-HJ-NP-TV-Z]{2}",
        "#N{0,3}[A-HJ-NP-TV-Z]{2,3}(?:NN|2[AB]|97N)",
    ),
    "EU-FIN": ("L{2,3}#N{0,2}",),
    "EU-GB": (
        f"[A-HJ-PR-Y]{{2}}NN{_BRITISH}{{3}}",
        f"(?:{_BRITISH_YEAR}#N{{0,2}}|Q#NN){_BRITISH}{{3}}",
        f"{_BRITISH}{{3}}#N{{0,2}}{_BRITISH_YEAR}",
        "[A-PR-Z]{1,3}#N{0,3}",
        "#N{0,3}[A-PR-Z]{1,3}",
    ),
    "EU-GR": ("[ABEZHIKMNOPTYX]{3}#N{1,3}",),
    "EU-H": ("LLLNNN", "LLLLNNN"),
    "EU-HR": ("LLN{3,4}[A-PR-VZ]{1,2}",),
    "EU-I": (f"{_ITALIAN}{{2}}NNN{_ITALIAN}{{2}}", "LL[A-Z0-9]N{5}", f"{_ITALIAN}{{2}}N{{5}}"),
    "EU-IRL": (f"N{{2}}[12]?{_IRISH}#N{{0,5}}",),
    "EU-IS": ("LLNNN", "LLLNN"),
    "EU-L": ("LLNNNN", "N{4,5}"),
    "EU-LT": ("LLLNNN",),
    "EU-LV": ("L{1,2}#N{0,3}",),
    "EU-M": ("LLLNNN",),
    "EU-MK": ("LLN{3,4}LL",),
    "EU-MNE": ("LLLLNNN",),
    "EU-N": ("[A-HJ-NPR-Z]{2}#N{3,4}",),
    "EU-NL": tuple(
        form.replace("L", _DUTCH)
        for form in (
            "LLNNNN", "NNNNLL", "NNLLNN", "LLNNLL", "LLLLNN", "NNLLLL", "NNLLLN", "NLLLNN",
            "LLNNNL", "LNNNLL", "LLLNNL", "NLLNNN", "NNNLLN", "CDNNNN",
        )
    ),
    "EU-P": ("NNNNLL", "NNLLNN", "LLNNNN", "LLNNLL"),
    "EU-PL": (
        "[B-HJ-PR-WZ]L(?:NNNNN|NNNN@|NNN@@|N@NNN|N@@NN|NNNN)",
        "[B-HJ-PR-WZ]LL(?:@NNN|NN@@|N@NN|NN@N|N@@N|@@NN|NNNNN?|NNNN@|NNN@@?)",
        "[B-HJ-PR-WZ]N(?=.{3,5}$)L+N{0,2}",
    ),
    "EU-RO": (
        f"{_ROMANIAN}NN{_ROMANIAN_SERIAL}", f"BNNN{_ROMANIAN_SERIAL}", f"{_ROMANIAN}N{{3,6}}",
    ),
    "EU-RUS": (f"{_CYRILLIC}N{{3}}{_CYRILLIC}{{2}}N{{2,3}}",),
    "EU-S": (f"{_SWEDISH}{{3}}NN(?:N|[A-HJ-NPR-UW-Z])",),
    "EU-SK": ("LLNNNLL",),
    "EU-SLO": (f"{_SLOVENE}(?=L*N)[A-PR-VZ0-9]{{5}}", "P0N{4}"),
    "EU-SRB": ("LLN{3,5}LL",),
    "EU-TR": (
        f"{_TURKISH_PROVINCE}{_TURKISH}N{{4,5}}",
        f"{_TURKISH_PROVINCE}{_TURKISH}{{2}}N{{3,4}}",
        f"{_TURKISH_PROVINCE}{_TURKISH}{{3}}N{{2,3}}",
    ),
    "EU-UA": (f"{_CYRILLIC}{{2}}N{{4}}{_CYRILLIC}{{2}}", f"N{{5}}{_CYRILLIC}{{2}}"),
}  # fmt: skip

# Per state, from the published formats and what the training pool's train split shows often.
_US_FORMS = """
AK LLLNNN
AL NNLNNNN,NLNNNNL,NNLNNLL,NNLNNNL
AR NNNLLL,LLLNNL
AZ LLLNNNN,LLLNNN,NNNLLL
CA NLLLNNN,NLNNNNN,NNNNNLN,LLLLLNN,LLLLLLN
CO NNNLLL,LLLNNN,LLLLNN
CT NNNLLL,LLNNNNN,LLLNNN
DC LLNNNN,NNNNNN
DE NNNNNN,NNNNN,LNNNNN
FL LNNNLL,LNNLLL,LLLLNN,NNNLLL
GA LLLNNNN,NNNNLLL
HI LLLNNN
IA NNNLLL,LLLNNN,NNNNLL
ID LNNNNNN,NLNNNNN,NLLNNNN,NLLNNN,NNNNN,LNNNNN,NLLLNNN
IL NNNNNNN,LNNNNNN,LLNNNNN
IN NNNLLL,NNNL,NNNLL,NNLNNNN
KS NNNLLL,LLLNNN
KY NNNLLL
LA LLLNNN,NNNLLL,LNNNNNN
MA NNNLLN,NNLLNN,NNNLLL,NNNNLL
MD LLLNNN,NLLNNNN,NNNLNNN,LNNNNNN,NLLLNN,NNNNNL
ME NNNNLL,NNNLLL
MI LLLNNNN,NLLLNN
MN NNNLLL,LLLNNN,LLNNN
MO LLNLNL,NNNLLL
MS LLLNNN,LLNNNN,NNNLLL
MT NNNNNNL,NNNLLL
NC LLLNNNN,LNNNN
ND NNNLLL,LLLNNN
NE LLLNNN,NNLNNN,NLNNNN,NLLNNN
NH NNNNNNN,NNNNNN
NJ LLLNNL,LNNLLL,LLNNNL
NM NNNLLL,LLLNNN
NV NNNLLL,NNLNNN
NY LLLNNNN
OH LLLNNNN,LLNNLL
OK NNNLLL,LLLNNN
OR NNNLLL,LLLNNN,NNNNN
PA LLLNNNN,LNLNLL
RI LLNNN,NNNNNN,NNNNN
SC NNNLLL,LLLNNN
SD NLLNNN,NNLNNN
TN NNNLLL,LNNNNL,LLLNNN
TX LLLNNN,NNNLLL,LLNLNNN,NLNNNN,LLLNNNN
UT NNNLLL,LNNNLL
VA LLLNNNN,LLLNNN,LLNNNN,NNNNLL
VT LLLNNN
WA NNNLLL,LLLNNNN,LLNLLLL,NNNNN
WI NNNLLL,LLLNNNN,LLLNNN
WV NLLNNN,LLLNNN,LLNNNN,NLNNNN
WY NNNNNNN,NNNNL,NNNNNN,NNNNNL
"""
_US_LETTER = "[A-NP-Z0]"
"""US serials hardly use the letter O, and their registers write 0 for it in personalised ones."""

USUAL = 0.95
"""How well a text fits that has a form its jurisdiction issues; this and the following were chosen
on the pool's val crops."""
UNUSUAL = 0.05
_OTHER_STATES = 0.6
_PERSONALISED = 0.5
_US_UNUSUAL = 0.25
_US_WITH_O = 0.02


@cache
def _us_forms() -> dict[str, re.Pattern[str]]:
    rows = (line.split() for line in _US_FORMS.split("\n") if line)
    kinds = {"L": _US_LETTER, "N": "[0-9]"}
    forms = {
        f"US-{state}": re.compile(
            "|".join("".join(kinds[c] for c in form) for form in listed.split(","))
        )
        for state, listed in rows
    }
    forms["US"] = re.compile("|".join(one.pattern for one in forms.values()))
    forms["personalised"] = re.compile(f"{_US_LETTER}{{2,8}}|[0-9]{{2,7}}")
    return forms


@cache
def _pattern(jurisdiction: str) -> re.Pattern[str] | None:
    if jurisdiction.startswith("US-"):
        return _us_forms().get(jurisdiction)
    formats = _FORMATS.get(jurisdiction)
    if formats is None:
        return None
    kinds = {"L": "[A-Z]", "N": "[0-9]", "#": "[1-9]", "@": _POLISH_LETTER}
    either = re.sub(r"\[[^]]*]|[LN#@]", lambda m: kinds.get(m[0], m[0]), "|".join(formats))
    return re.compile(either)


def is_known(jurisdiction: str) -> bool:
    """Whether the jurisdiction's forms are known."""
    return _pattern(jurisdiction) is not None


def has_usual_form(text: str, jurisdiction: str) -> bool | None:
    """Whether a normalized text has a form that the jurisdiction issues; None when not known."""
    pattern = _pattern(jurisdiction)
    return None if pattern is None else pattern.fullmatch(text) is not None


def _us_otherwise(text: str) -> float:
    if "O" in text:
        return _US_WITH_O
    forms = _us_forms()
    if forms["US"].fullmatch(text):
        return _OTHER_STATES
    return _PERSONALISED if forms["personalised"].fullmatch(text) else _US_UNUSUAL


def likelihood(text: str, jurisdiction: str) -> float:
    """How likely such a text is on a plate of a jurisdiction with known forms, up to a factor."""
    if has_usual_form(text, jurisdiction):
        return USUAL
    return _us_otherwise(text) if jurisdiction.startswith("US-") else UNUSUAL
