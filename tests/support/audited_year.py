"""A police department's searches over a time, simulated with a seed, and misuse planted into it.

Honest traffic is made to be as awkward as real traffic is: watches that rotate, overtime, two
desks, detectives who search all day, rings of many plates, refusals by clumsiness, words that are
put together from the same few.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from alpr_access_log.audit.records import Lapse, Lists, Record, Session, Shift, case_key
from alpr_common.plates import match_key

SECOND = timedelta(seconds=1)
_LETTERS, _DIGITS = "ABCDEFGHJKLMNPQRSTUVWXYZ", "0123456789"
_PURPOSES = (
    "criminal_investigation", "stolen_vehicle", "missing_or_endangered", "wanted_person",
    "traffic_crash", "civil_administrative",
)  # fmt: skip
_OF_ROLE = {
    "cso": ("stolen_vehicle", "traffic_crash", "civil_administrative"),
    "dispatcher": ("stolen_vehicle", "missing_or_endangered", "wanted_person", "traffic_crash"),
}
_VEHICLES = (
    "a grey van", "a dark pickup with a cracked tail light", "the white sedan", "a red hatchback",
    "the delivery truck", "a silver SUV with roof rails", "an old station wagon", "the black coupe",
    "a blue minivan", "the motorcycle trailer", "a green compact", "a beige limousine",
)  # fmt: skip
_SEEN = (
    "was seen by a neighbour leaving", "fled from", "was caught on a doorbell camera beside",
    "was described by two witnesses at", "had been parked for hours near", "drove off from",
    "was followed by the owner away from", "circled three times around", "went missing from",
    "sideswiped a parked car at", "dropped off a passenger at", "was not brought back to",
)  # fmt: skip
_PLACES = (
    "the pharmacy on Oak Street", "the Route 64 truck stop", "Lincoln school", "the river bridge",
    "a jeweller's at the mall", "the north side car wash", "the train station lot", "Hill Park",
    "the gas station at the exit", "the warehouse on Third", "the hospital entrance",
    "a construction site by the lake", "the credit union", "an apartment block on Elm",
)  # fmt: skip
_CRIMES = (
    "after the burglary", "minutes before the robbery call", "while tools were being stolen",
    "when the crash was called in", "on the night of the assault", "during the catalytic thefts",
    "after a hit and run with injuries", "when the child was last seen", "with stolen goods aboard",
    "as the alarm went off", "after threatening the clerk", "when the warrant was served",
)  # fmt: skip
_WHY = (
    "and the owner cannot say where it is now", "and its way out of town is not known",
    "and we need its direction of travel", "so its last known place has to be found",
    "and a second suspect may be in it", "and the victim gave these characters",
    "and the partial was read from the video", "so the time of the flight can be fixed",
    "and it may still be in the district", "and its driver is wanted for questioning",
)  # fmt: skip
_NAMES = re.findall(
    r"\w+",
    "Adams Baker Carter Diaz Evans Foster Garcia Hayes Ito Jensen Keller Lopez Meyer Novak Olsen "
    "Parker Quinn Rossi Stone Turner Usman Vargas Weber Xu Young Zeller Brandt Costa Dunn Ekström "
    "Flores Grant Huber Ivers Jones Klein Lange Moore Nolan Ortiz Price Reyes Sato Thiel Unger",
)
_JOBS = (
    "the clerk", "who lives across", "a bus driver", "the night guard", "a jogger", "the manager",
    "her brother", "the crossing guard", "a tow operator", "the school nurse", "his employer",
)  # fmt: skip
_HOW = (
    "heading east", "without lights", "at high speed", "with two people inside", "towing nothing",
    "southbound", "through the back alley", "with its plate half covered", "slowly", "twice",
)  # fmt: skip


@dataclass(frozen=True)
class Worker:
    """Somebody of the department."""

    person_id: str
    role: str
    searches_per_shift: float
    addresses: tuple[str, str]
    watch: int
    is_office: bool = False
    rotates: bool = False


@dataclass
class Department:
    """The simulated records, what is known beside them, and what was planted: rule and person."""

    begin: datetime
    days: int
    seed: int
    records: list[Record] = field(default_factory=list)
    shifts: dict[str, list[Shift]] = field(default_factory=dict)
    cases: set[str] = field(default_factory=set)
    lapses: list[Lapse] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    planted: list[tuple[str, str, datetime]] = field(default_factory=list)
    own: set[tuple[str, str]] = field(default_factory=set)
    workers: list[Worker] = field(default_factory=list)
    uncovered: frozenset[str] = frozenset()
    """Who is on no list of shifts."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    @property
    def end(self) -> datetime:
        return self.begin + timedelta(days=self.days)

    @property
    def lists(self) -> Lists:
        listed = {p: s for p, s in self.shifts.items() if p not in self.uncovered}
        return Lists(
            shifts=listed,
            shifts_from=self.begin,
            shifts_to=self.end,
            cases=frozenset(self.cases),
            cases_until=self.end,
            is_own_plate=lambda person, key: (person, key) in self.own,
        )

    def sort(self) -> None:
        self.records.sort(key=lambda r: (r.occurred_at, r.record_id))

    def plate(self) -> str:
        pick = self.random.choice
        return "".join(pick(_LETTERS) for _ in range(2)) + "".join(pick(_DIGITS) for _ in range(5))

    def case(self) -> str:
        number = f"26-{self.random.randrange(10**6):06d}"
        self.cases.add(case_key(number) or "")
        return number

    def words(self) -> str:
        pick = self.random.choice
        said = f"{pick(_VEHICLES)} {pick(_SEEN)} {pick(_PLACES)} {pick(_CRIMES)}"
        witness = f"according to {pick(_NAMES)} {pick(_NAMES)}, {pick(_JOBS)}"
        return f"{witness}, {said}, {pick(_HOW)} {pick(_WHY)}"

    def record(self, worker: Worker, at: datetime, **said: object) -> Record:
        made = Record(
            record_id=UUID(int=self.random.getrandbits(128), version=4),
            occurred_at=at,
            service="access-log",
            action="search",
            outcome="done",
            person_id=worker.person_id,
            role=worker.role,
            session_id=f"{worker.person_id} {at.date()}",
            address=worker.addresses[0],
        )
        made = replace(made, **said)  # type: ignore[arg-type]
        self.records.append(made)
        return made

    def search(self, worker: Worker, at: datetime, **said: object) -> Record:
        """An answered search with a reason of its own, but for what is said."""
        purposes = _OF_ROLE.get(worker.role, _PURPOSES)
        reason: dict[str, object] = {
            "plate": self.plate(), "purpose": self.random.choice(purposes),
            "suspicion": self.words(),
        }  # fmt: skip
        if "case_number" not in said:
            reason["case_number"] = self.case()
        return self.record(worker, at, **(reason | said))


_PATROL, _DETECTIVE = ("officer", 1.2, False), ("officer", 5.0, True)
_CSO, _DISPATCHER, _SUPERVISOR = (
    ("cso", 0.6, False),
    ("dispatcher", 2.0, False),
    ("supervisor", 0.5, True),
)
_KINDS = (
    _PATROL, _PATROL, _CSO, _PATROL, _PATROL, _DISPATCHER, _PATROL, _DETECTIVE, _PATROL, _PATROL,
    _CSO, _SUPERVISOR,
)  # fmt: skip


def honest(begin: datetime, days: int, seed: int, size: int = 24) -> Department:
    """A department that does its work. Of `size` people a quarter is on no list of shifts."""
    made = Department(begin, days, seed)
    for n in range(size):
        role, rate, office = _KINDS[n % len(_KINDS)]
        addresses = (f"192.0.2.{10 + n}", f"198.51.100.{10 + n}")
        made.workers.append(
            Worker(f"person-{n:02d}", role, rate, addresses, (6, 14, 22)[n % 3], office, n % 3 != 0)
        )
    made.uncovered = frozenset(w.person_id for w in made.workers[::3] + made.workers[1::8])
    for worker in made.workers:
        for shift in _shifts(made, worker):
            made.shifts.setdefault(worker.person_id, []).append(shift)
            _work(made, worker, shift)
    _lapse_honestly(made)
    made.sort()
    return made


def _shifts(made: Department, worker: Worker) -> Iterator[Shift]:
    """Office hours on weekdays, or four days on and three off, the watch changing by season."""
    offset = made.random.randrange(7)
    away = made.random.randrange(max(made.days - 14, 1))
    for n in range(made.days):
        day = (made.begin + timedelta(days=n)).date()
        if away <= n < away + 10:
            continue  # on leave
        if worker.is_office:
            if day.weekday() < 5:
                yield _shift(day, 8, 9)
        elif (n + offset) % 7 < 4:
            changes = 8 * (n // 120) if worker.rotates else 0
            yield _shift(day, (worker.watch + changes) % 24, 10)


def _shift(day: date, hour: int, hours: int) -> Shift:
    begin = datetime.combine(day, time(hour), UTC)
    return begin, begin + timedelta(hours=hours)


def _work(made: Department, worker: Worker, shift: Shift) -> None:
    rnd = made.random
    begin, end = shift
    if rnd.random() < 0.05:
        end += timedelta(minutes=40)  # overtime
    moves_at = begin + (end - begin) * rnd.random()  # from the desk to the car
    flips = rnd.random() < 0.05  # the car's network is away for a moment
    seconds = (end - begin).total_seconds()
    made.record(
        worker, begin + timedelta(minutes=rnd.randrange(1, 20)), service="identity",
        action="session.opened",
    )  # fmt: skip
    for _ in range(_poisson(rnd, worker.searches_per_shift)):
        at = begin + timedelta(seconds=rnd.uniform(600, seconds))
        case = made.case()
        plates = 1 if rnd.random() < 0.8 else rnd.randrange(2, 10 if worker.is_office else 4)
        for n in range(plates):
            moment = at + timedelta(minutes=n * rnd.uniform(1, 4))
            if moment > end:
                break
            address = worker.addresses[(moment > moves_at) ^ (flips and n == 1)]
            flips = flips and n != 1
            said = {"case_number": case, "address": address, "plate": made.plate()}
            _clumsy(made, worker, moment, said)
            made.search(worker, moment, **said)
            if rnd.random() < 0.15 and plates == 1:
                _again(made, worker, moment, end, said)


def _clumsy(made: Department, worker: Worker, at: datetime, said: dict[str, str]) -> None:
    """A refusal or two before it is right."""
    rnd = made.random
    if rnd.random() > 0.04:
        return
    for n in range(1 if rnd.random() < 0.8 else 2):
        code = rnd.choice(("suspicion-too-short", "case-number-missing", "suspicion-copied"))
        made.record(
            worker, at - timedelta(seconds=40 + 30 * n), outcome="refused", refusal_code=code,
            plate=said["plate"], address=said["address"], suspicion="left the scene",
        )  # fmt: skip


def _again(
    made: Department, worker: Worker, at: datetime, end: datetime, said: dict[str, str]
) -> None:
    """The same vehicle, the same case, a little later; with a look-alike or a pattern at times."""
    rnd = made.random
    for n in range(rnd.randrange(1, 3)):
        plate = said["plate"]
        if rnd.random() < 0.3:
            plate = plate[:-1] + "?"
        later = at + timedelta(minutes=15 * (n + 1))
        if later > end:
            break
        made.search(worker, later, **(said | {"plate": plate}))


def _lapse_honestly(made: Department) -> None:
    """Some people's training lapses, and they notice at the first refusal."""
    for worker in made.workers[5::11]:
        lapsed = made.begin + timedelta(days=made.random.randrange(2, max(made.days - 2, 3)))
        until = lapsed + timedelta(days=3)
        made.lapses.append(Lapse(worker.person_id, "leads", lapsed, until))
        made.records = [
            r for r in made.records
            if r.person_id != worker.person_id or not lapsed <= r.occurred_at < until
        ]  # fmt: skip
        made.record(
            worker, lapsed + timedelta(hours=9), outcome="refused",
            refusal_code="leads-training-lapsed", plate=made.plate(),
        )  # fmt: skip


def _poisson(rnd: random.Random, mean: float) -> int:
    n, left = 0, rnd.expovariate(1)
    while left < mean:
        n += 1
        left += rnd.expovariate(1)
    return n


Plant = Callable[[Department, Worker, datetime], None]


def _during(made: Department, worker: Worker, since: datetime) -> Iterator[datetime]:
    """Moments of that worker's shifts from `since` on, an hour into each and every 20 minutes."""
    for begin, end in made.shifts[worker.person_id]:
        if begin >= since:
            at = begin + timedelta(hours=1)
            while at < end - timedelta(minutes=30):
                yield at
                at += timedelta(minutes=20)


def _one_a_shift(made: Department, worker: Worker, since: datetime) -> Iterator[datetime]:
    for begin, _ in made.shifts[worker.person_id]:
        if begin >= since:
            yield begin + timedelta(hours=2, minutes=made.random.randrange(60))


def repeated_plate(made: Department, worker: Worker, at: datetime) -> None:
    """One plate, spelt with look-alikes and as patterns, under invented reasons."""
    spellings = ("BO51234", "8051234", "B0S1234", "BO5123?", "BO51*", "BO51234", "80S1234")
    for spelt, moment in zip(spellings, _one_a_shift(made, worker, at), strict=False):
        made.search(worker, moment, plate=spelt)


def own_plate(made: Department, worker: Worker, at: datetime) -> None:
    plate = made.plate()
    made.own.add((worker.person_id, match_key(plate)))
    made.search(worker, next(_during(made, worker, at)), plate=plate[:-1] + "?")


def no_such_case(made: Department, worker: Worker, at: datetime) -> None:
    made.search(worker, next(_during(made, worker, at)), case_number="99-000001")


def case_of_many_plates(made: Department, worker: Worker, at: datetime) -> None:
    case = made.case()
    for _, moment in zip(range(18), _during(made, worker, at), strict=False):
        made.search(worker, moment, case_number=case)


def off_shift(made: Department, worker: Worker, at: datetime) -> None:
    _, end = next(s for s in made.shifts[worker.person_id] if s[0] >= at)
    made.search(worker, end + timedelta(hours=3))


def unusual_hour(made: Department, worker: Worker, at: datetime) -> None:
    shift = next(s for s in made.shifts[worker.person_id] if s[0] >= at)
    for n in range(4):
        made.search(worker, shift[1] + timedelta(hours=5, minutes=n))


def two_places(made: Department, worker: Worker, at: datetime) -> None:
    moment = next(_during(made, worker, at))
    for n in range(6):
        made.search(
            worker, moment + timedelta(minutes=2 * n), address=worker.addresses[n % 2],
            session_id=f"{worker.person_id} {n % 2}",
        )  # fmt: skip


def overlapping_sessions(made: Department, worker: Worker, at: datetime) -> None:
    moment = next(_during(made, worker, at))
    for n in range(2):
        opened = moment + timedelta(minutes=10 * n)
        made.sessions.append(
            Session(f"overlap {n}", worker.person_id, worker.addresses[n], worker.addresses[n],
                    opened, moment + timedelta(hours=3))
        )  # fmt: skip
        made.search(
            worker, moment + timedelta(minutes=40 + 50 * n), session_id=f"overlap {n}",
            address=worker.addresses[n],
        )  # fmt: skip


def copied_words(made: Department, worker: Worker, at: datetime) -> None:
    said = made.words()
    for n, moment in zip(range(5), _one_a_shift(made, worker, at), strict=False):
        made.search(worker, moment, suspicion=f"{said}, entry {n + 1}")


def copied_among_people(made: Department, worker: Worker, at: datetime) -> None:
    said = made.words()
    first = made.workers.index(worker)
    for n in range(4):
        colleague = made.workers[(first + n) % len(made.workers)]
        made.search(colleague, next(_during(made, colleague, at)), suspicion=said)


def volume_of_day(made: Department, worker: Worker, at: datetime) -> None:
    moment = next(_during(made, worker, at))
    for n in range(45):
        made.search(worker, moment + timedelta(minutes=2 * n))


def volume_of_role(made: Department, worker: Worker, at: datetime) -> None:
    """Much more than anybody else of a role in which all do alike, on no single day too many."""
    month = at.replace(day=1)
    for begin, _ in made.shifts[worker.person_id]:
        if month <= begin < month + timedelta(days=27):
            for n in range(24):
                made.search(worker, begin + timedelta(minutes=60 + 12 * n))


def purpose_out_of_role(made: Department, worker: Worker, at: datetime) -> None:
    made.search(worker, next(_during(made, worker, at)), purpose="criminal_investigation")


def after_lapse(made: Department, worker: Worker, at: datetime) -> None:
    moment = next(_during(made, worker, at))
    made.lapses.append(Lapse(worker.person_id, "alpr", moment - timedelta(minutes=5), None))
    made.search(worker, moment)


def before_lapse(made: Department, worker: Worker, at: datetime) -> None:
    moment = next(_during(made, worker, at))
    for n in range(14):
        made.search(worker, moment + timedelta(minutes=3 * n))
    made.lapses.append(
        Lapse(worker.person_id, "leads", moment + timedelta(hours=2), moment + timedelta(hours=3))
    )


def refused_untrained(made: Department, worker: Worker, at: datetime) -> None:
    for n, moment in zip(range(4), _during(made, worker, at), strict=False):
        made.record(
            worker, moment, outcome="refused", refusal_code="alpr-training-lapsed",
            plate=f"ZZ{n}1111",
        )  # fmt: skip


def altered_words(made: Department, worker: Worker, at: datetime) -> None:
    moment, plate = next(_during(made, worker, at)), made.plate()
    for n, code in enumerate(("suspicion-missing", "suspicion-too-short", "purpose-unknown")):
        made.record(
            worker, moment + timedelta(minutes=n), outcome="refused", refusal_code=code,
            plate=plate, suspicion="curious",
        )  # fmt: skip
    made.search(worker, moment + timedelta(minutes=5), plate=plate)


# Whom each needs: somebody of a role, on the list of shifts or on none.
PLANTS: tuple[tuple[Plant, str, bool | None], ...] = (
    (own_plate, "officer", None), (repeated_plate, "officer", None),
    (no_such_case, "officer", None), (case_of_many_plates, "officer", None),
    (off_shift, "officer", True), (unusual_hour, "officer", False), (two_places, "officer", None),
    (overlapping_sessions, "officer", None), (copied_words, "officer", None),
    (copied_among_people, "officer", None), (volume_of_day, "officer", None),
    (volume_of_role, "officer", None), (purpose_out_of_role, "cso", None),
    (after_lapse, "officer", None), (before_lapse, "officer", None),
    (refused_untrained, "officer", None), (altered_words, "officer", None),
)  # fmt: skip


def plant(made: Department, times: int, since_days: int = 40) -> None:
    """Plant each kind so many times, each with another person, from that day on."""
    rnd = made.random
    for _ in range(times):
        for kind, role, listed in PLANTS:
            taken = {person for rule, person, _ in made.planted if rule == kind.__name__}
            able = [
                w for w in made.workers
                if w.role == role and w.person_id not in taken
                and not (role == "officer" and w.is_office)
                and (listed is None or listed == (w.person_id not in made.uncovered))
                and not (kind is unusual_hour and w.rotates)
            ]  # fmt: skip
            worker = rnd.choice(able)
            latest = max(made.days - 25, since_days + 1)
            at = made.begin + timedelta(days=rnd.randrange(since_days, latest))
            # Not across the end of a month, where a rule would see two halves.
            at = at.replace(day=min(at.day, 8))
            at = max(at, made.begin + timedelta(days=since_days))
            kind(made, worker, at)
            made.planted.append((kind.__name__, worker.person_id, at))
    made.sort()
