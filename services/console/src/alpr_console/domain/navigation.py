"""Which pages a role has any use for. Only to show what is shut: the services decide."""

from dataclasses import dataclass

from alpr_common.policy import Policy, Role

DECIDERS = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR})
"""Who places holds, prepares evidence and keeps the cameras."""
LOG_READERS = DECIDERS | {Role.AUDITOR}
_IN_THE_BAR = 3


@dataclass(frozen=True)
class Place:
    """A page of the navigation, and the addresses under it."""

    label: str
    path: str
    roles: frozenset[Role] | None = None
    """None: those that the policy lets at ALPR data."""
    others: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        return path.startswith((self.path, *self.others))


PLACES = (
    Place("Alerts", "/board", others=("/alerts",)),
    Place("Search", "/search"),
    Place("Hot list", "/hotlist"),
    Place("Approvals", "/approvals", frozenset({Role.SUPERVISOR})),
    Place("Access records", "/records", LOG_READERS),
    Place("Log check", "/log", LOG_READERS),
    Place("Audit", "/audit", LOG_READERS),
    Place("Holds", "/holds", LOG_READERS),
    Place("Evidence", "/evidence", DECIDERS),
    Place("Cameras", "/cameras", LOG_READERS, others=("/new-camera",)),
    Place("People", "/people", frozenset({Role.ADMINISTRATOR})),
    Place("Training", "/training", LOG_READERS),
)
ACCOUNT = "/account"


@dataclass(frozen=True)
class Navigation:
    """The first places stand in the bar, the others behind it."""

    places: tuple[Place, ...]

    @classmethod
    def of(cls, role: Role, policy: Policy) -> "Navigation":
        return cls(
            tuple(
                place
                for place in PLACES
                if role in (policy.access_roles if place.roles is None else place.roles)
            )
        )

    @property
    def bar(self) -> tuple[Place, ...]:
        return self.places[:_IN_THE_BAR]

    @property
    def more(self) -> tuple[Place, ...]:
        return self.places[_IN_THE_BAR:]

    def inside(self, path: str) -> Place | None:
        """The place behind the bar that a page belongs to."""
        return next((place for place in self.more if place.holds(path)), None)

    @property
    def home(self) -> str:
        """Where somebody of this role begins."""
        return self.places[0].path if self.places else ACCOUNT
