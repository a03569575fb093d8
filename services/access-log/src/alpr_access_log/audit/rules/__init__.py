"""The rules of the misuse analytics, in the order in which they are shown."""

from alpr_access_log.audit.finding import Rule
from alpr_access_log.audit.rules.cases import CASE_OF_MANY_PLATES, NO_SUCH_CASE
from alpr_access_log.audit.rules.copied_words import COPIED_AMONG_PEOPLE, COPIED_WORDS
from alpr_access_log.audit.rules.own_plates import OWN_PLATE
from alpr_access_log.audit.rules.purposes import PURPOSE_OUT_OF_ROLE
from alpr_access_log.audit.rules.refusals import ALTERED_WORDS
from alpr_access_log.audit.rules.repeated_plate import REPEATED_PLATE
from alpr_access_log.audit.rules.shifts import OFF_SHIFT, UNUSUAL_HOUR
from alpr_access_log.audit.rules.training import AFTER_LAPSE, BEFORE_LAPSE, REFUSED_UNTRAINED
from alpr_access_log.audit.rules.two_places import OVERLAPPING_SESSIONS, TWO_PLACES
from alpr_access_log.audit.rules.volume import VOLUME_OF_DAY, VOLUME_OF_ROLE

RULES: tuple[Rule, ...] = (
    OWN_PLATE,
    REPEATED_PLATE,
    NO_SUCH_CASE,
    CASE_OF_MANY_PLATES,
    OFF_SHIFT,
    UNUSUAL_HOUR,
    TWO_PLACES,
    OVERLAPPING_SESSIONS,
    COPIED_WORDS,
    COPIED_AMONG_PEOPLE,
    VOLUME_OF_DAY,
    VOLUME_OF_ROLE,
    PURPOSE_OUT_OF_ROLE,
    AFTER_LAPSE,
    BEFORE_LAPSE,
    REFUSED_UNTRAINED,
    ALTERED_WORDS,
)
AMONG = (COPIED_AMONG_PEOPLE, VOLUME_OF_ROLE)
"""Rules that compare people with each other: `audit.among` applies them to more searches than can
be held as records. All others look at each person alone."""
BY_NAME = {rule.name: rule for rule in RULES}
