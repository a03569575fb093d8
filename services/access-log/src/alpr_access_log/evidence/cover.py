"""The cover sheet of an evidence package (131.7-2): a PDF for a records clerk and a court. Pure.

It uses the PDF standard fonts, which know Latin-1: other letters are written without their marks or
as a question mark. The exact text is in the JSON files beside.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

_INK, _GREY, _LINE, _SHADE = (20, 24, 32), (95, 102, 115), (170, 176, 186), (238, 240, 244)
_WIDTH = 175.8  # US Letter, less the margins
_MARGIN = 20.0
_SIGNERS = ("Prepared and released by", "Received by", "Returned to / disposition")


@dataclass(frozen=True)
class Item:
    """One read: its line of facts and, if it is stored, the picture of its plate (JPEG)."""

    plate: str
    jurisdiction: str
    captured_at: datetime
    camera_id: str
    latitude: float
    longitude: float
    confidence: float
    read_id: str
    picture: bytes | None = field(repr=False)


@dataclass(frozen=True)
class ListedFile:
    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Cover:
    """What the sheet says."""

    inventory_number: str
    agency_id: str
    case_number: str
    purpose: str
    prepared_by: str
    prepared_at: datetime
    alert_lines: Sequence[str]
    items: Sequence[Item]
    files: Sequence[ListedFile]
    custody: Sequence[tuple[datetime, str, str]]
    log_line: str
    seal_key: str


def render(cover: Cover) -> bytes:
    """The sheet as PDF. The same cover gives the same bytes."""
    sheet = _Sheet(cover)
    sheet.add_page()
    _head(sheet, cover)
    _items(sheet, cover)
    _custody(sheet, cover)
    _signatures(sheet)
    _files(sheet, cover)
    _checking(sheet, cover)
    return bytes(sheet.output())


class _Sheet(FPDF):
    def __init__(self, cover: Cover) -> None:
        super().__init__(format="letter")
        self._cover = cover
        self.set_creation_date(cover.prepared_at)
        self.set_title(_latin(f"Evidence {cover.inventory_number}, case {cover.case_number}"))
        self.set_author(_latin(cover.agency_id))
        self.set_lang("en-US")
        self.set_margin(_MARGIN)
        self.set_auto_page_break(True, margin=22)
        self.alias_nb_pages()
        self.set_draw_color(*_LINE)
        self.set_text_color(*_INK)

    def footer(self) -> None:
        self.set_y(-16)
        self.set_draw_color(*_LINE)
        self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())
        self.set_font("Helvetica", size=8)
        self.set_text_color(*_GREY)
        said = f"{self._cover.inventory_number}   Case {self._cover.case_number}   "
        said += f"{self._cover.agency_id}"
        self.cell(_WIDTH / 2, 8, _latin(said))
        self.cell(_WIDTH / 2, 8, f"Page {self.page_no()} of {{nb}}", align="R")
        self.set_text_color(*_INK)

    def heading(self, text: str, least_room: float = 40) -> None:
        if self.get_y() > self.h - 22 - least_room:
            self.add_page()
        self.ln(4)
        self.set_font("Helvetica", "B", 11)
        self.cell(_WIDTH, 7, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(0.5)

    def words(self, text: str, size: float = 9, colour: tuple[int, int, int] = _INK) -> None:
        self.set_font("Helvetica", size=size)
        self.set_text_color(*colour)
        self.multi_cell(
            _WIDTH, size * 0.48, _latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self.set_text_color(*_INK)

    def rows(self, widths: tuple[float, ...], head: Sequence[str] | None = None) -> Any:
        self.set_font("Helvetica", size=8.5)
        return self.table(
            col_widths=widths,
            width=_WIDTH,
            align="L",
            text_align="L",
            line_height=4.2,
            padding=(1.1, 1.6),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            first_row_as_headings=head is not None,
            headings_style=FontFace(emphasis="BOLD", fill_color=_SHADE),
        )


def _head(sheet: _Sheet, cover: Cover) -> None:
    sheet.set_font("Helvetica", "B", 9)
    sheet.set_text_color(*_GREY)
    sheet.cell(_WIDTH, 5, _latin(f"AGENCY {cover.agency_id}"), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.set_text_color(*_INK)
    sheet.set_font("Helvetica", "B", 19)
    sheet.cell(_WIDTH, 10, "ALPR Evidence Package", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.words(
        "Cover sheet and inventory of data of evidentiary value saved to portable media "
        "(General Order ADM-131.7-2).",
        colour=_GREY,
    )
    sheet.ln(3)
    top = sheet.get_y()
    sheet.set_fill_color(*_SHADE)
    sheet.rect(_MARGIN, top, _WIDTH, 17, style="F")
    sheet.set_fill_color(255, 255, 255)
    for index, (label, text) in enumerate(
        (("INVENTORY NUMBER", cover.inventory_number), ("CASE / INCIDENT", cover.case_number))
    ):
        sheet.set_xy(_MARGIN + 4 + index * _WIDTH / 2, top + 2.5)
        sheet.set_font("Helvetica", "B", 7.5)
        sheet.set_text_color(*_GREY)
        sheet.cell(_WIDTH / 2, 4, label)
        sheet.set_xy(_MARGIN + 4 + index * _WIDTH / 2, top + 7)
        sheet.set_font("Courier", "B", 15)
        sheet.set_text_color(*_INK)
        sheet.cell(_WIDTH / 2 - 6, 7, _latin(text))
    sheet.set_xy(_MARGIN, top + 20)
    facts = (
        ("Prepared by", cover.prepared_by),
        ("Prepared at", _time(cover.prepared_at)),
        ("Purpose", cover.purpose),
        ("Contains", f"plate reads: {len(cover.items)}, alerts: {len(cover.alert_lines)}, "
                     f"files listed below: {len(cover.files)}"),
        ("Access log", cover.log_line),
    )  # fmt: skip
    with sheet.rows((34, _WIDTH - 34)) as table:
        for label, text in facts:
            row = table.row()
            row.cell(label, style=FontFace(emphasis="BOLD", color=_GREY))
            row.cell(_latin(text))


def _items(sheet: _Sheet, cover: Cover) -> None:
    sheet.heading("Items")
    with sheet.rows((10, 38, 30, _WIDTH - 78), head=()) as table:
        row = table.row()
        for text in ("No.", "Plate crop", "Plate", "Captured, where, read id"):
            row.cell(text)
        for number, item in enumerate(cover.items, 1):
            row = table.row()
            row.cell(str(number))
            picture = _picture(item.picture)
            if picture is None:
                row.cell("no picture stored", style=FontFace(color=_GREY))
            else:
                row.cell(img=picture, img_fill_width=False)
            row.cell(_latin(f"{item.plate}\n{item.jurisdiction}"), style=FontFace(emphasis="BOLD"))
            row.cell(
                _latin(
                    f"{_time(item.captured_at)}\ncamera {item.camera_id}, "
                    f"{item.latitude:.5f}, {item.longitude:.5f}\n"
                    f"recognizer's confidence {item.confidence:.2f}\n{item.read_id}"
                )
            )
    for line in cover.alert_lines:
        sheet.ln(1)
        sheet.words(line)


def _custody(sheet: _Sheet, cover: Cover) -> None:
    sheet.heading("Chain of custody up to the sealing")
    with sheet.rows((44, 52, _WIDTH - 96), head=()) as table:
        row = table.row()
        for text in ("When (UTC)", "Who", "What"):
            row.cell(text)
        for at, person, action in cover.custody:
            row = table.row()
            row.cell(_time(at))
            row.cell(_latin(person))
            row.cell(_latin(action))


def _signatures(sheet: _Sheet) -> None:
    sheet.heading("Transfer of the portable medium", least_room=118)
    sheet.words(
        "Medium (kind and serial number) ______________________________________     "
        "Copies made ________"
    )
    for signer in _SIGNERS:
        sheet.ln(5)
        sheet.set_font("Helvetica", "B", 9)
        sheet.cell(_WIDTH, 5, signer, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        sheet.ln(8)
        begin = sheet.get_y()
        for left, width, label in (
            (0, 58, "Name, printed"), (62, 26, "Badge / ID"), (92, 50, "Signature"),
            (146, 29.8, "Date and time"),
        ):  # fmt: skip
            sheet.set_draw_color(*_INK)
            sheet.line(_MARGIN + left, begin, _MARGIN + left + width, begin)
            sheet.set_xy(_MARGIN + left, begin + 0.8)
            sheet.set_font("Helvetica", size=7.5)
            sheet.set_text_color(*_GREY)
            sheet.cell(width, 4, label)
        sheet.set_text_color(*_INK)
        sheet.set_draw_color(*_LINE)
        sheet.set_xy(_MARGIN, begin + 5)


def _files(sheet: _Sheet, cover: Cover) -> None:
    sheet.heading("Contents")
    sheet.words(
        "Every file under data/ with its SHA-256. This sheet, custody.json and the log's proofs "
        "are in the package's own manifest-sha256.txt, which the seal covers with everything else.",
        colour=_GREY,
    )
    sheet.ln(1.5)
    with sheet.rows((_WIDTH - 19, 19), head=()) as table:
        row = table.row()
        row.cell("File and SHA-256")
        row.cell("Bytes", align="R")
        for file in cover.files:
            row = table.row()
            row.cell(
                _latin(f"{file.path}\n{file.sha256}"),
                style=FontFace(family="Courier", size_pt=8),
            )
            row.cell(f"{file.size_bytes:,}", align="R")


def _checking(sheet: _Sheet, cover: Cover) -> None:
    sheet.heading("How to check this package")
    sheet.words(
        "No server is needed. Use the seal's key as it was handed out by the provider, not a key "
        "that came with the package:"
    )
    sheet.ln(1)
    sheet.set_font("Courier", size=8)
    sheet.multi_cell(
        _WIDTH, 4,
        _latin(f"alpr evidence verify FILE --key '{cover.seal_key}' --log-key LOG-KEY"),
        align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT,
    )  # fmt: skip
    sheet.ln(1)
    sheet.words(
        "A hit alone is neither reasonable suspicion nor probable cause (131.6-4). What persons "
        "verified, and when, is in the alert history.",
        colour=_GREY,
    )


def _picture(jpeg: bytes | None) -> BytesIO | None:
    return BytesIO(jpeg) if jpeg and jpeg[:2] == b"\xff\xd8" else None


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _latin(text: str) -> str:
    """The text in Latin-1: letters lose marks that it does not have."""
    plain = text.replace("\u2014", "-").replace("\u2013", "-").replace("\u2026", "...")
    out = []
    for character in plain:
        try:
            character.encode("latin-1")
            out.append(character)
        except UnicodeEncodeError:
            base = unicodedata.normalize("NFKD", character).encode("latin-1", "ignore")
            out.append(base.decode("latin-1") or "?")
    return "".join(out)
