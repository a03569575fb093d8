"""What the audit's routes are sent."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alpr_access_log.audit.summary import FindingShown, GivenList, PackageShown
from alpr_common.messages.base import Instant
from alpr_common.web import StorableText

# Not a `StorableText`: whoever reads the list says in which line something is wrong.
Csv = Annotated[str, Field(max_length=8_000_000)]
PersonId = Annotated[StorableText, Field(min_length=1, max_length=200)]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("say something")
    return text.strip()


Note = Annotated[StorableText, Field(max_length=2000), AfterValidator(_not_blank)]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class PeriodAsked(Asked):
    """[from, to), 400 days at most; what lies ahead is left out."""

    from_at: Instant = Field(alias="from")
    to_at: Instant = Field(alias="to")


class ReviewAsked(Asked):
    """What came out when somebody asked: it has an explanation, or it was referred."""

    outcome: Literal["explained", "referred"]
    note: Note = Field(description="the explanation, or to whom it was referred")


class ShiftGiven(Asked):
    person_id: PersonId
    begins_at: Instant
    ends_at: Instant


class ShiftsGiven(Asked):
    """The agency's shifts from `from` to `to`, all of them: they replace the list before."""

    from_at: Instant = Field(alias="from")
    to_at: Instant = Field(alias="to", description="until when the list is complete")
    shifts: list[ShiftGiven] = Field(default_factory=list, max_length=100_000)
    csv: Csv | None = Field(
        default=None, description="instead of `shifts`: person_id,begins_at,ends_at"
    )


class CasesGiven(Asked):
    """The agency's case and incident numbers, all of them: they replace the list before."""

    to_at: Instant = Field(
        alias="to", description="until when it is complete: later searches are not held against it"
    )
    case_numbers: list[Annotated[StorableText, Field(max_length=100)]] = Field(
        default_factory=list, max_length=500_000
    )
    csv: Csv | None = Field(
        default=None, description="instead of `case_numbers`: a column case_number"
    )


class PlatesGiven(Asked):
    """A person's own and relatives' plates: they replace those before, and are shown no more."""

    plates: list[Annotated[StorableText, Field(max_length=64)]] = Field(max_length=200)


class PackagePage(BaseModel):
    items: list[PackageShown] = Field(description="newest first, without their summaries")
    next_cursor: str | None


class FindingPage(BaseModel):
    items: list[FindingShown] = Field(description="newest first")
    next_cursor: str | None


class AnalysisShown(BaseModel):
    findings: list[FindingShown]
    new: int = Field(description="how many of them were not known before")
    not_applied: dict[str, str] = Field(description="rules that were not applied, and why")


class OwnPlatesShown(BaseModel):
    person_id: str
    plates: int = Field(description="how many; which they are cannot be told from the list")
    of_another_key: int = Field(description="hashed with another key; give them again")


class ListChecked(BaseModel):
    """What a list says; nothing of it was kept."""

    entries: int
    repeated: int = Field(description="lines that say what another line says")
    people: int | None = Field(default=None, description="of shifts: how many people have one")
    first_at: Instant | None = Field(default=None, description="when the first shift begins")
    last_at: Instant | None = Field(default=None, description="when the last shift ends")
    outside: int = Field(default=0, description="shifts that lie outside of the period")


class ListsShown(BaseModel):
    lists: list[GivenList]
    own_plates: list[OwnPlatesShown] = Field(description="for administrators alone")
