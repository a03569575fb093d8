"""What a request to search may say. What the policy asks of it is the door's to check."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alpr_access_log import domain
from alpr_common.messages.base import Instant
from alpr_common.policy import Policy
from alpr_common.web import StorableText

# A body is read before anybody asks who sent it.
BODY_MAX_BYTES = 64 * 1024


class AreaAsked(BaseModel):
    """A box (`south`, `west`, `north`, `east`) or a circle (`latitude`, `longitude`,
    `radius_meters`), in degrees and meters."""

    model_config = ConfigDict(extra="forbid")

    south: float | None = Field(default=None, ge=-90, le=90)
    west: float | None = Field(default=None, ge=-180, le=180)
    north: float | None = Field(default=None, ge=-90, le=90)
    east: float | None = Field(default=None, ge=-180, le=180)
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180)
    radius_meters: int | None = Field(default=None, ge=1, le=100_000)

    @model_validator(mode="after")
    def _one_shape(self) -> "AreaAsked":
        self.area()
        return self

    def area(self) -> domain.Area:
        said = self.model_dump(exclude_none=True)
        match sorted(said):
            case ["latitude", "longitude", "radius_meters"]:
                return domain.Circle(**said)
            case ["east", "north", "south", "west"]:
                box = domain.Box(**said)
                if box.south < box.north and box.west < box.east:
                    return box
        raise ValueError("say south < north and west < east, or latitude, longitude, radius_meters")


class ConvoyAsked(BaseModel):
    """What counts as together: at one camera within so many seconds, and so at so many cameras."""

    model_config = ConfigDict(extra="forbid")

    within_seconds: int = Field(ge=1, le=86_400)
    cameras: int = Field(ge=1, le=1000)


class SearchForm(BaseModel):
    """What is looked for and why. What is missing is refused by the door, which records it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    plate: Annotated[StorableText, Field(max_length=64)] | None = Field(
        default=None, description="exact, or with * (any characters) and ? (one character)"
    )
    lookalike: bool = Field(default=False, description="also plates that look alike (O and 0, …)")
    from_at: Instant | None = Field(default=None, alias="from")
    to_at: Instant | None = Field(default=None, alias="to")
    camera_ids: list[Annotated[StorableText, Field(max_length=200)]] | None = Field(
        default=None, max_length=500, description="none named: all of the agency's"
    )
    area: AreaAsked | None = None
    jurisdictions: list[Annotated[StorableText, Field(max_length=20)]] | None = Field(
        default=None, max_length=60, description="of the plate; none named: any, also unknown"
    )
    hit: bool | None = Field(default=None, description="only reads that were hits, or were none")
    convoy: ConvoyAsked | None = Field(
        default=None, description="which plates were seen together with this one, instead"
    )
    purpose: Annotated[StorableText, Field(max_length=100)] | None = None
    case_number: Annotated[StorableText, Field(max_length=100)] | None = None
    suspicion: Annotated[StorableText, Field(max_length=2000)] | None = None
    attested: bool | None = None


class SearchRequest(SearchForm):
    """A search, or a further page of one, or one that a supervisor approved."""

    approval_id: UUID | None = Field(
        default=None, description="an approved request of yours: it says everything but `limit`"
    )
    limit: int | None = None
    cursor: Annotated[StorableText, Field(max_length=200)] | None = Field(
        default=None, description="`next_cursor` of the page before; the rest may be left out"
    )


def query_of(asked: SearchForm, policy: Policy) -> domain.Query:
    """The query if it may be asked; raises a `SearchRefused`."""
    query = domain.checked_query(
        asked.plate,
        asked.lookalike,
        asked.from_at,
        asked.to_at,
        asked.camera_ids or [],
        policy,
        asked.area.area() if asked.area else None,
        asked.jurisdictions or [],
        asked.hit,
    )
    if asked.convoy is None:
        return query
    return domain.checked_convoy(query, domain.Convoy(**asked.convoy.model_dump()), policy)
