"""The package as PDF, on the same paper as the cover sheets of evidence, its charts drawn with
lines and boxes. The same summary gives the same bytes."""

from collections.abc import Sequence

from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from alpr_access_log.audit.document.blocks import (
    Block,
    Chart,
    Document,
    Facts,
    Heat,
    Hint,
    Section,
    Table,
    Tile,
    Tiles,
    Words,
)
from alpr_access_log.audit.document.whole import document_of
from alpr_access_log.audit.drawing import BLUE, draw_heat, draw_lying, draw_standing
from alpr_access_log.audit.summary import Summary
from alpr_access_log.evidence.sheet import GREY, INK, LINE, MARGIN, SHADE, WIDTH, Sheet, latin

AMBER, GREEN = (184, 86, 11), (28, 107, 60)
_TONES = {"good": GREEN, "attention": AMBER, "quiet": GREY, "plain": INK}
_TILE_HEIGHT = 21.0


def sheet(summary: Summary) -> bytes:
    """The PDF, US Letter."""
    document = document_of(summary)
    paper = Sheet(
        title=f"{document.title} {document.agency_id}, {document.period}",
        foot=f"{document.title}   {document.agency_id}   {document.period}",
        author=document.agency_id,
        made_at=document.prepared_at,
    )
    paper.add_page()
    _head(paper, document)
    for section in document.sections:
        _section(paper, section)
    return bytes(paper.output())


def _head(paper: Sheet, document: Document) -> None:
    paper.set_font("Helvetica", "B", 9)
    paper.set_text_color(*GREY)
    line = f"AGENCY {document.agency_id}   GENERAL ORDER ADM-131.5-d"
    paper.cell(WIDTH, 5, latin(line), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_text_color(*INK)
    paper.set_font("Helvetica", "B", 21)
    paper.cell(WIDTH, 11, latin(document.title), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_font("Helvetica", size=12)
    paper.set_text_color(*GREY)
    paper.cell(WIDTH, 7, latin(document.period), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_text_color(*INK)
    paper.ln(3)
    _facts(paper, Facts(document.facts), 32)


def _section(paper: Sheet, section: Section) -> None:
    if section.id in ("usage", "passwords", "log", "findings"):
        paper.add_page()
    else:
        paper.ln(5)
    paper.start_section(latin(section.title))
    paper.set_font("Helvetica", "B", 14)
    paper.cell(WIDTH - 25, 8, latin(section.title))
    paper.set_font("Helvetica", size=8)
    paper.set_text_color(*GREY)
    paper.cell(25, 8, latin(section.clause), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_text_color(*INK)
    paper.set_draw_color(*INK)
    paper.line(MARGIN, paper.get_y(), MARGIN + WIDTH, paper.get_y())
    paper.set_draw_color(*LINE)
    paper.ln(2)
    for block in section.blocks:
        _block(paper, block)


def _block(paper: Sheet, block: Block) -> None:
    match block:
        case Words():
            _words(paper, block)
        case Tiles():
            _tiles(paper, block.tiles)
        case Facts():
            _facts(paper, block, 52)
        case Table():
            _table(paper, block)
        case Chart():
            _chart(paper, block)
        case Heat():
            paper.heading(block.title, least_room=70)
            draw_heat(paper, block)
        case Hint():
            _hint(paper, block)


def _words(paper: Sheet, block: Words) -> None:
    if block.tone not in ("good", "attention"):
        paper.words(block.text, colour=_TONES[block.tone])
        paper.ln(1.5)
        return
    begin, page = paper.get_y(), paper.page_no()
    paper.set_x(MARGIN + 3)
    paper.set_font("Helvetica", size=9)
    paper.set_text_color(*_TONES[block.tone])
    paper.multi_cell(
        WIDTH - 3, 4.4, latin(block.text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
    )
    paper.set_text_color(*INK)
    if paper.page_no() == page:
        paper.set_fill_color(*_TONES[block.tone])
        paper.rect(MARGIN, begin, 1.2, paper.get_y() - begin, style="F")
    paper.set_fill_color(255, 255, 255)
    paper.ln(1.5)


def _tiles(paper: Sheet, tiles: Sequence[Tile]) -> None:
    wide = (WIDTH - 8) / 3
    top = paper.get_y()
    for n, tile in enumerate(tiles):
        x = MARGIN + (n % 3) * (wide + 4)
        y = top + (n // 3) * (_TILE_HEIGHT + 3)
        paper.set_fill_color(*SHADE)
        paper.rect(x, y, wide, _TILE_HEIGHT, style="F")
        paper.set_fill_color(*(_TONES[tile.tone] if tile.tone != "plain" else LINE))
        paper.rect(x, y, 1.2, _TILE_HEIGHT, style="F")
        for dy, size, style, colour, text in (
            (2, 8, "", GREY, tile.label), (7, 16, "B", _TONES[tile.tone], tile.value),
            (14.5, 8, "", GREY, tile.note),
        ):  # fmt: skip
            paper.set_xy(x + 3.5, y + dy)
            paper.set_font("Helvetica", style, size)
            paper.set_text_color(*colour)
            paper.cell(wide - 5, 5 if size == 8 else 7, latin(text))
    paper.set_fill_color(255, 255, 255)
    paper.set_text_color(*INK)
    rows = -(-len(tiles) // 3)
    paper.set_xy(MARGIN, top + rows * (_TILE_HEIGHT + 3) + 1)


def _facts(paper: Sheet, block: Facts, label: float) -> None:
    with paper.rows((label, WIDTH - label)) as table:
        for name, text in block.facts:
            row = table.row()
            row.cell(latin(name), style=FontFace(color=GREY))
            row.cell(latin(text))
    paper.ln(2)


def _table(paper: Sheet, block: Table, *, small: bool = False) -> None:
    if small:
        paper.set_font("Helvetica", "B", 8.5)
        paper.cell(WIDTH, 5, latin(block.title), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    else:
        paper.heading(block.title, least_room=30)
    if not block.rows:
        paper.words(block.empty, colour=GREY)
        return
    whole = sum(block.widths)
    widths = tuple(WIDTH * width / whole for width in block.widths)
    with paper.rows(widths, head=block.head) as table:
        for cells in (block.head, *block.rows):
            row = table.row()
            for column, cell in enumerate(cells):
                align = "R" if column in block.numbers else "L"
                row.cell(latin(cell), align=align)
    if block.more:
        paper.words(f"... and {block.more} more, in the tables (tables.zip).", colour=GREY)
    paper.ln(1)


def _chart(paper: Sheet, block: Chart) -> None:
    if not block.bars.bars:
        return
    room = 12 + 6.0 * len(block.bars.bars) if block.lying else 62
    paper.heading(block.bars.title, least_room=min(room, 180))
    if block.bars.names[1]:
        _legend(paper, block.bars.names[0], block.bars.names[1])
    (draw_lying if block.lying else draw_standing)(paper, block.bars)


def _legend(paper: Sheet, value: str, more: str) -> None:
    y = paper.get_y() - 6
    paper.set_font("Helvetica", size=7.5)
    paper.set_text_color(*GREY)
    x = MARGIN + WIDTH - 62
    for colour, text, wide in ((BLUE, value, 22.0), ((224, 154, 79), more, 36.0)):
        paper.set_fill_color(*colour)
        paper.rect(x, y + 1.3, 2.6, 2.6, style="F")
        paper.set_xy(x + 3.4, y)
        paper.cell(wide, 5, latin(text))
        x += wide
    paper.set_fill_color(255, 255, 255)
    paper.set_text_color(*INK)
    paper.set_xy(MARGIN, y + 6.5)


def _hint(paper: Sheet, block: Hint) -> None:
    paper.heading(f"{block.number}  {block.title}  ({block.strength})", least_room=62)
    paper.set_font("Helvetica", "B", 9)
    paper.multi_cell(WIDTH, 4.6, latin(block.who), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.ln(0.6)
    paper.words(block.why)
    if block.words:
        paper.ln(0.6)
        paper.words(f'"{block.words}"', colour=GREY)
    paper.ln(0.6)
    for label, text in block.facts:
        paper.words(f"{label}: {text}", size=8, colour=GREY)
    paper.ln(1)
    _table(paper, block.records, small=True)
    for review in block.reviews or ("Not reviewed yet.",):
        paper.words(review, colour=GREEN if block.reviews else AMBER)
    paper.words(f"Finding {block.finding_id}", size=7.5, colour=GREY)
    paper.ln(2)
