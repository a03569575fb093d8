"""The cover sheet of an evidence package (131.7-2): a PDF for a records clerk and a court. Pure.

It uses the PDF standard fonts, which know Latin-1: other letters are written without their marks or
as a question mark. The exact text is in the JSON files beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO

from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace
from PIL import Image

from alpr_access_log.evidence.sheet import (
    GREY,
    INK,
    LINE,
    MARGIN,
    SHADE,
    WIDTH,
    Sheet,
    latin,
    time_text,
)

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
    sheet = Sheet(
        title=f"Evidence {cover.inventory_number}, case {cover.case_number}",
        foot=f"{cover.inventory_number}   Case {cover.case_number}   {cover.agency_id}",
        author=cover.agency_id,
        made_at=cover.prepared_at,
    )
    sheet.add_page()
    _head(sheet, cover)
    _items(sheet, cover)
    _custody(sheet, cover)
    _signatures(sheet)
    _files(sheet, cover)
    _checking(sheet, cover)
    return bytes(sheet.output())


def _head(sheet: Sheet, cover: Cover) -> None:
    sheet.set_font("Helvetica", "B", 9)
    sheet.set_text_color(*GREY)
    sheet.cell(WIDTH, 5, latin(f"AGENCY {cover.agency_id}"), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.set_text_color(*INK)
    sheet.set_font("Helvetica", "B", 19)
    sheet.cell(WIDTH, 10, "ALPR Evidence Package", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.words(
        "Cover sheet and inventory of data of evidentiary value saved to portable media "
        "(General Order ADM-131.7-2).",
        colour=GREY,
    )
    sheet.ln(3)
    top = sheet.get_y()
    sheet.set_fill_color(*SHADE)
    sheet.rect(MARGIN, top, WIDTH, 17, style="F")
    sheet.set_fill_color(255, 255, 255)
    for index, (label, text) in enumerate(
        (("INVENTORY NUMBER", cover.inventory_number), ("CASE / INCIDENT", cover.case_number))
    ):
        sheet.set_xy(MARGIN + 4 + index * WIDTH / 2, top + 2.5)
        sheet.set_font("Helvetica", "B", 7.5)
        sheet.set_text_color(*GREY)
        sheet.cell(WIDTH / 2, 4, label)
        sheet.set_xy(MARGIN + 4 + index * WIDTH / 2, top + 7)
        sheet.set_font("Courier", "B", 15)
        sheet.set_text_color(*INK)
        sheet.cell(WIDTH / 2 - 6, 7, latin(text))
    sheet.set_xy(MARGIN, top + 20)
    facts = (
        ("Prepared by", cover.prepared_by),
        ("Prepared at", time_text(cover.prepared_at)),
        ("Purpose", cover.purpose),
        ("Contains", f"plate reads: {len(cover.items)}, alerts: {len(cover.alert_lines)}, "
                     f"files listed below: {len(cover.files)}"),
        ("Access log", cover.log_line),
    )  # fmt: skip
    with sheet.rows((34, WIDTH - 34)) as table:
        for label, text in facts:
            row = table.row()
            row.cell(label, style=FontFace(emphasis="BOLD", color=GREY))
            row.cell(latin(text))


def _items(sheet: Sheet, cover: Cover) -> None:
    sheet.heading("Items")
    with sheet.rows((10, 38, 30, WIDTH - 78), head=()) as table:
        row = table.row()
        for text in ("No.", "Plate crop", "Plate", "Captured, where, read id"):
            row.cell(text)
        for number, item in enumerate(cover.items, 1):
            row = table.row()
            row.cell(str(number))
            picture = _picture(item.picture)
            if picture is None:
                words = "not a readable picture" if item.picture else "no picture stored"
                row.cell(words, style=FontFace(color=GREY))
            else:
                row.cell(img=picture, img_fill_width=False)
            row.cell(latin(f"{item.plate}\n{item.jurisdiction}"), style=FontFace(emphasis="BOLD"))
            row.cell(
                latin(
                    f"{time_text(item.captured_at)}\ncamera {item.camera_id}, "
                    f"{item.latitude:.5f}, {item.longitude:.5f}\n"
                    f"recognizer's confidence {item.confidence:.2f}\n{item.read_id}"
                )
            )
    for line in cover.alert_lines:
        sheet.ln(1)
        sheet.words(line)


def _custody(sheet: Sheet, cover: Cover) -> None:
    sheet.heading("Chain of custody up to the sealing")
    with sheet.rows((44, 52, WIDTH - 96), head=()) as table:
        row = table.row()
        for text in ("When (UTC)", "Who", "What"):
            row.cell(text)
        for at, person, action in cover.custody:
            row = table.row()
            row.cell(time_text(at))
            row.cell(latin(person))
            row.cell(latin(action))


def _signatures(sheet: Sheet) -> None:
    sheet.heading("Transfer of the portable medium", least_room=118)
    sheet.words(
        "Medium (kind and serial number) ______________________________________     "
        "Copies made ________"
    )
    for signer in _SIGNERS:
        sheet.ln(5)
        sheet.set_font("Helvetica", "B", 9)
        sheet.cell(WIDTH, 5, signer, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        sheet.ln(8)
        begin = sheet.get_y()
        for left, width, label in (
            (0, 58, "Name, printed"), (62, 26, "Badge / ID"), (92, 50, "Signature"),
            (146, 29.8, "Date and time"),
        ):  # fmt: skip
            sheet.set_draw_color(*INK)
            sheet.line(MARGIN + left, begin, MARGIN + left + width, begin)
            sheet.set_xy(MARGIN + left, begin + 0.8)
            sheet.set_font("Helvetica", size=7.5)
            sheet.set_text_color(*GREY)
            sheet.cell(width, 4, label)
        sheet.set_text_color(*INK)
        sheet.set_draw_color(*LINE)
        sheet.set_xy(MARGIN, begin + 5)


def _files(sheet: Sheet, cover: Cover) -> None:
    sheet.heading("Contents")
    sheet.words(
        "Every file under data/ with its SHA-256. This sheet, custody.json and the log's proofs "
        "are in the package's own manifest-sha256.txt, which the seal covers with everything else.",
        colour=GREY,
    )
    sheet.ln(1.5)
    with sheet.rows((WIDTH - 19, 19), head=()) as table:
        row = table.row()
        row.cell("File and SHA-256")
        row.cell("Bytes", align="R")
        for file in cover.files:
            row = table.row()
            row.cell(
                latin(f"{file.path}\n{file.sha256}"),
                style=FontFace(family="Courier", size_pt=8),
            )
            row.cell(f"{file.size_bytes:,}", align="R")


def _checking(sheet: Sheet, cover: Cover) -> None:
    sheet.heading("How to check this package")
    sheet.words(
        "No server is needed. Use the seal's key as it was handed out by the provider, not a key "
        "that came with the package:"
    )
    sheet.ln(1)
    sheet.set_font("Courier", size=8)
    sheet.multi_cell(
        WIDTH, 4,
        latin(f"alpr evidence verify FILE --key '{cover.seal_key}' --log-key LOG-KEY"),
        align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT,
    )  # fmt: skip
    sheet.ln(1)
    sheet.words(
        "LOG-KEY is any verifier key that the access log has had; where it was changed after this "
        "package was sealed, --hand-overs with the log's address or a saved answer of it leads "
        "from the new key to the one that signed.",
        colour=GREY,
    )
    sheet.ln(1)
    sheet.words(
        "A hit alone is neither reasonable suspicion nor probable cause (131.6-4). What persons "
        "verified, and when, is in the alert history.",
        colour=GREY,
    )


def _picture(jpeg: bytes | None) -> BytesIO | None:
    """None also for bytes that are no whole JPEG: the package has them as they are stored, and one
    broken picture is no reason to have no package."""
    if not jpeg:
        return None
    try:
        with Image.open(BytesIO(jpeg), formats=["JPEG"]) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return BytesIO(jpeg)
