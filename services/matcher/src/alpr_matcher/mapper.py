"""A mapper says in a small TOML file how the lines of somebody's list become entries.

    format = "fixed"                    # or "delimited"
    encoding = "ascii"
    skip_lines_starting_with = ["HDR"]
    [fields]                            # code → columns from 1 (fixed), or column name or number
    LIC = "5-14"
    [tables.VCO]                        # code table of a field; "*" stands for all other codes,
    BLU = "blue"                        # the value "*" for the code itself; else the line is bad
    [dates]                             # fields that hold dates, and how
    DOT = "%Y%m%d"
    [values]                            # what an entry says, made of the fields; a part in [ ]
    plate = "{LIC}"                     # is left out when a field in it is empty
    vehicle = "[{VYR} ][{VCO} ][{VMA}]"

Field codes are those of NCIC (LIC LIS LIT LIY VIN VYR VMA VMO VST VCO NIC ORI OCA DOT MKE) or any
other word. Values are `VALUES`; plate, category and reason are needed. `record_id` (an NCIC number)
names an entry from file to file; without one, plate, jurisdiction and category do.
"""

import codecs
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from alpr_common.errors import AlprError

VALUES = (
    "plate", "category", "reason", "jurisdiction", "case_number", "vehicle", "caution",
    "effective_at", "expires_at", "priority", "lookalike_positions", "forbidden_hit_kinds",
    "vehicle_type", "vehicle_make", "vehicle_model", "vehicle_colour", "vehicle_year",
    "record_id", "action",
)  # fmt: skip
NEEDED = ("plate", "category", "reason")
DELIMITERS = (",", ";", "\t", "|")
HOUSE = "house-csv"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PLACE = re.compile(r"([1-9][0-9]{0,4})-([1-9][0-9]{0,4})")
_FIELD = re.compile(r"\{(\w+)\}")
_PART = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_MAPPER_MAX_BYTES = 64 * 1024

Fields = Mapping[str, str]
Render = Callable[[Fields], str]


class MapperInvalid(AlprError):
    title = "The mapper cannot be used"


class LineRefused(Exception):
    """Why one line is no entry."""


class Mapper(BaseModel):
    """One mapper file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = ""
    format: Literal["delimited", "fixed"]
    encoding: str = "utf-8"
    delimiter: str = Field(default="auto", description="one character; auto: told from line 1")
    header: bool = Field(default=True, description="delimited: line 1 names the columns")
    line_length: int | None = Field(default=None, ge=1, description="fixed: what each line has")
    skip_lines_starting_with: tuple[str, ...] = ()
    fields: dict[str, str | int]
    tables: dict[str, dict[str, str]] = {}
    dates: dict[str, str] = {}
    values: dict[str, str]

    @field_validator("encoding")
    @classmethod
    def _lines_end_as_bytes_do(cls, name: str) -> str:
        try:
            plain = "\n,A9".encode(codecs.lookup(name).name)
        except (LookupError, UnicodeError) as error:
            raise ValueError(f"there is no encoding {name!r}") from error
        if plain != b"\n,A9":
            raise ValueError(f"{name} does not write plain text as ASCII does; convert the file")
        return name

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.format == "delimited" and self.delimiter != "auto" and len(self.delimiter) != 1:
            raise ValueError("delimiter is one character, or auto")
        for name, place in self.fields.items():
            if self.format == "fixed":
                columns(name, place)
            elif isinstance(place, str) and not self.header:
                raise ValueError(f"fields.{name}: without a header, columns have numbers from 1")
        for part, names in (("tables", self.tables), ("dates", self.dates)):
            if unknown := sorted(set(names) - set(self.fields)):
                raise ValueError(f"{part}.{unknown[0]}: there is no such field")
        if unknown := sorted(set(self.values) - set(VALUES)):
            raise ValueError(f"values.{unknown[0]}: an entry has {', '.join(VALUES)}")
        if missing := [name for name in NEEDED if name not in self.values]:
            raise ValueError(f"values.{missing[0]} is missing")
        for name, template in self.values.items():
            used = fields_in(template)
            if unknown := sorted(used - set(self.fields)):
                raise ValueError(f"values.{name} uses {{{unknown[0]}}}, which is no field")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """From TOML; raises `MapperInvalid` with what is wrong."""
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise MapperInvalid(f"It is not TOML: {error}") from error
        except ValidationError as error:
            faults = (
                "{}: {}".format(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()
            )
            raise MapperInvalid("; ".join(faults)) from error


def load_mapper(name: str, folder: Path | None) -> Mapper:
    """The mapper `<name>.toml` in `folder`, else the shipped one; raises `MapperInvalid`."""
    if not _NAME.fullmatch(name):
        raise MapperInvalid("A mapper's name is a short word: a-z, 0-9, - and _.")
    own = folder / f"{name}.toml" if folder else None
    if own is not None and own.is_file():
        return Mapper.parse(read_mapper(own.read_bytes()))
    shipped = files("alpr_matcher").joinpath("mappers", f"{name}.toml")
    if not shipped.is_file():
        raise MapperInvalid(f"There is no mapper {name!r}.")
    return Mapper.parse(shipped.read_text("utf-8"))


def read_mapper(content: bytes) -> str:
    """A mapper's text; raises `MapperInvalid`."""
    if len(content) > _MAPPER_MAX_BYTES:
        raise MapperInvalid(f"A mapper has at most {_MAPPER_MAX_BYTES} bytes.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MapperInvalid("A mapper is UTF-8 text.") from error


def columns(name: str, place: str | int) -> slice:
    """The columns of a fixed-width field; raises ValueError."""
    found = _PLACE.fullmatch(str(place))
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError(f"fields.{name}: write the columns from 1, as 5-14")
    return slice(int(found[1]) - 1, int(found[2]))


def fields_in(template: str) -> set[str]:
    """The fields that a template names."""
    return set(_FIELD.findall(template))


def lone_field(template: str) -> str | None:
    """The field that a value is made of as it is; None for any other template."""
    alone = _FIELD.fullmatch(template)
    return alone[1] if alone else None


def renderer(template: str) -> Render:
    """What makes a value of a line's fields; pieces in brackets go when a field in them is empty.

    >>> renderer("[{VYR} ][{VCO} ][{VMA}]")({"VYR": "2019", "VCO": "", "VMA": "HONDA"})
    '2019 HONDA'
    """
    if "{" not in template:
        return lambda _: template
    if (name := lone_field(template)) is not None:
        return lambda fields: fields.get(name, "")
    parts: list[tuple[str, tuple[str, ...]]] = []
    for optional, plain in _PART.findall(template):
        text = optional or plain
        parts.append((text, tuple(_FIELD.findall(text)) if optional else ()))

    def render(fields: Fields) -> str:
        kept = [text for text, needed in parts if all(fields.get(name) for name in needed)]
        return _FIELD.sub(lambda found: fields.get(found[1], ""), "".join(kept)).strip()

    return render


def table_lookup(name: str, table: Mapping[str, str]) -> Callable[[str], str]:
    """What a code stands for; the function raises `LineRefused` for one that is not listed."""
    codes = {code.upper(): word for code, word in table.items()}
    other = codes.pop("*", None)

    def look(code: str) -> str:
        word = codes.get(code.upper(), other)
        if word is None:
            raise LineRefused(f"{name} {code[:40]!r} is not in the mapper's code table")
        return code if word == "*" else word

    return look


def date_reader(name: str, pattern: str) -> Callable[[str], str]:
    """A date or time as ISO 8601, a day alone as a day; the function raises `LineRefused`."""
    with_time = any(mark in pattern for mark in ("%H", "%I", "%X", "%c"))

    @lru_cache(maxsize=4096)
    def read(text: str) -> str:
        try:
            found = datetime.strptime(text, pattern)  # noqa: DTZ007 - the next lines see to it
        except ValueError as error:
            raise LineRefused(f"{name} {text[:40]!r} is no date of the form {pattern}") from error
        if not with_time:
            return found.date().isoformat()
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()

    return read
