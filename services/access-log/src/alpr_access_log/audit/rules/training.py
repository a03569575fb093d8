"""Searches around a lapse of training (131.6-1, 131.6-2)."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from statistics import median

from alpr_access_log.audit.finding import Finding, Rule, moments, needs
from alpr_access_log.audit.records import Lapse, Looked

REFUSED_FOR_TRAINING = frozenset({"leads-training-lapsed", "alpr-training-lapsed"})


def _after(looked: Looked) -> Iterator[Finding]:
    for lapse in looked.lapses or ():
        until = lapse.restored_at or looked.end
        shown = [
            r
            for r in looked.inside(looked.people.get(lapse.person_id, ()))
            if r.outcome == "done"
            and (r.is_search or r.action in ("search.page", "read.picture.viewed"))
            and lapse.lapsed_at <= r.occurred_at < until
        ]
        if shown:
            yield AFTER_LAPSE.finding(
                looked, lapse.person_id, _about(lapse), shown,
                f"{len(shown)} requests were answered after the {lapse.kind} training had "
                f"lapsed at {lapse.lapsed_at:%Y-%m-%d %H:%M} UTC.",
            )  # fmt: skip


def _before(looked: Looked) -> Iterator[Finding]:
    limits = looked.limits
    ahead = timedelta(hours=limits.training_lapse_hours)
    for lapse in looked.lapses or ():
        searches = looked.searches.get(lapse.person_id, [])
        last = [s for s in searches if lapse.lapsed_at - ahead <= s.occurred_at < lapse.lapsed_at]
        last = last if looked.inside(last) else []
        mine = {s.record_id for s in last}
        days = Counter(s.occurred_at.date() for s in searches if s.record_id not in mine)
        usual = median(days.values()) if days else 0
        if len(last) >= limits.training_lapse_searches and len(last) >= 2 * usual:
            yield BEFORE_LAPSE.finding(
                looked, lapse.person_id, _about(lapse), last,
                f"{len(last)} searches in the {limits.training_lapse_hours} hours before the "
                f"{lapse.kind} training lapsed; on other days with searches the median is "
                f"{usual:g}.",
                is_weaker=True,
            )  # fmt: skip


def _about(lapse: Lapse) -> str:
    return f"{lapse.kind} {lapse.lapsed_at.date()}"


def _refused(looked: Looked) -> Iterator[Finding]:
    for person, records in looked.people.items():
        refused = [r for r in looked.inside(records) if r.refusal_code in REFUSED_FOR_TRAINING]
        if len(refused) >= looked.limits.training_refusals:
            yield REFUSED_UNTRAINED.finding(
                looked, person, "refused", refused,
                f"{moments(refused)} or other requests were refused because training had "
                "lapsed or was never recorded.",
                is_weaker=True,
            )  # fmt: skip


_KNOWN_LAPSES = needs(
    lambda looked: looked.lapses,
    "Lapses of training are not known here: identity did not answer, or was not asked.",
)

AFTER_LAPSE = Rule(
    name="after_lapse",
    title="Answered after training had lapsed",
    looks_for="Requests that were answered although the person's training had lapsed.",
    clause="131.6-1",
    find=_after,
    limits=(),
    why_not=_KNOWN_LAPSES,
)
BEFORE_LAPSE = Rule(
    name="before_lapse",
    title="Many searches right before a lapse",
    looks_for="More searches than usual in the last hours before training lapsed.",
    clause="131.6-1",
    find=_before,
    limits=("training_lapse_hours", "training_lapse_searches"),
    why_not=_KNOWN_LAPSES,
)
REFUSED_UNTRAINED = Rule(
    name="refused_untrained",
    title="Refused for want of training, again and again",
    looks_for="Requests by one person that were refused because training had lapsed.",
    clause="131.6-1",
    find=_refused,
    limits=("training_refusals",),
)
