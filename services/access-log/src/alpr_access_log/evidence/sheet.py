"""Paper to write the cover sheet on: US Letter in the PDF standard fonts, which know Latin-1.

Other letters are written without their marks or as a question mark.
"""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

INK, GREY, LINE, SHADE = (20, 24, 32), (95, 102, 115), (170, 176, 186), (238, 240, 244)
WIDTH = 175.8  # US Letter, less the margins
MARGIN = 20.0


class Sheet(FPDF):
    """Pages with our margins, a line at the foot, and headings, words and tables as we set them."""

    def __init__(self, *, title: str, foot: str, author: str, made_at: datetime) -> None:
        super().__init__(format="letter")
        self._foot = foot
        self.set_creation_date(made_at)
        self.set_title(latin(title))
        self.set_author(latin(author))
        self.set_lang("en-US")
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, margin=22)
        self.alias_nb_pages()
        self.set_draw_color(*LINE)
        self.set_text_color(*INK)

    def footer(self) -> None:
        self.set_y(-16)
        self.set_draw_color(*LINE)
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())
        self.set_font("Helvetica", size=8)
        self.set_text_color(*GREY)
        self.cell(WIDTH / 2, 8, latin(self._foot))
        self.cell(WIDTH / 2, 8, f"Page {self.page_no()} of {{nb}}", align="R")
        self.set_text_color(*INK)

    def heading(self, text: str, least_room: float = 40) -> None:
        if self.get_y() > self.h - 22 - least_room:
            self.add_page()
        self.ln(4)
        self.set_font("Helvetica", "B", 11)
        self.cell(WIDTH, 7, latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(0.5)

    def words(self, text: str, size: float = 9, colour: tuple[int, int, int] = INK) -> None:
        self.set_font("Helvetica", size=size)
        self.set_text_color(*colour)
        self.multi_cell(
            WIDTH, size * 0.48, latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self.set_text_color(*INK)

    def rows(self, widths: tuple[float, ...], head: Sequence[str] | None = None) -> Any:
        self.set_font("Helvetica", size=8.5)
        return self.table(
            col_widths=widths,
            width=WIDTH,
            align="L",
            text_align="L",
            line_height=4.2,
            padding=(1.1, 1.6),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            first_row_as_headings=head is not None,
            headings_style=FontFace(emphasis="BOLD", fill_color=SHADE),
        )


def time_text(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def latin(text: str) -> str:
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
