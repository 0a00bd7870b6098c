"""The report as one PDF page, A4 or Letter."""

import io
from typing import Any, Literal
from xml.sax.saxutils import escape

from napari_fetal_iqa.report.content import ReportContent
from napari_fetal_iqa.report.fonts import WESTERN, font_of
from napari_fetal_iqa.report.lines import result_lines, source_lines, thumbnail_caption
from napari_fetal_iqa.report.pictures import frame_picture, growth_picture, timeline_picture

Paper = Literal["a4", "letter"]

_THUMBNAILS = 6


def pdf_page(content: ReportContent, paper: Paper = "a4") -> bytes:
    """Lay a report out as one page.

    Parameters
    ----------
    content : ReportContent
    paper : "a4" or "letter"

    Raises
    ------
    FetalIqaError
        Where a name has letters that no type at hand can show.
    """
    from reportlab.lib.pagesizes import A4, LETTER  # here: only a report needs it
    from reportlab.lib.units import mm
    from reportlab.platypus import KeepInFrame, SimpleDocTemplate, Spacer, Table

    stream = io.BytesIO()
    margin = 14 * mm
    document = SimpleDocTemplate(
        stream,
        pagesize={"a4": A4, "letter": LETTER}[paper],
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
        title="Fetal abdominal circumference",
        author="napari-fetal-iqa",
        invariant=True,
    )
    width, height = document.width - 12, document.height - 12  # a frame has a padding of 6
    half = width / 2 - 2 * mm
    examination = content.examination
    left = [
        *_lines(result_lines(content), half),
        Spacer(1, 3 * mm),
        *_lines(source_lines(content), half),
    ]
    right: list[Any] = [_image(growth_picture(content), half, 62 * mm)]
    if content.best:
        right = [_image(frame_picture(content.best[0], examination), half, 76 * mm), *right]
    story: list[Any] = [
        *_heading(content),
        Table([[left, right]], colWidths=[width / 2, width / 2], style=_PLAIN),
        Spacer(1, 2 * mm),
        _image(timeline_picture(content), width, 32 * mm),
    ]
    rest = range(len(content.best))[:_THUMBNAILS]
    if len(rest) > 1:
        side = width / _THUMBNAILS - 1 * mm
        story.append(
            Table(
                [
                    [
                        _image(frame_picture(content.best[place], examination, 1.6), side, 32 * mm)
                        for place in rest
                    ],
                    [_small(thumbnail_caption(content, place)) for place in rest],
                ],
                colWidths=[width / _THUMBNAILS] * len(rest),
                hAlign="LEFT",
                style=_PLAIN,
            )
        )
    story += [Spacer(1, 10 * mm), *_signature(width)]
    document.build([KeepInFrame(width, height, story, mode="shrink")])
    return stream.getvalue()


_PLAIN = [
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 2),
    ("TOPPADDING", (0, 0), (-1, -1), 1),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
]


def _style(name: str, size: float, font: str = WESTERN, **more: Any) -> Any:
    from reportlab.lib.styles import ParagraphStyle

    return ParagraphStyle(name, fontName=font, fontSize=size, leading=1.25 * size, **more)


def _heading(content: ReportContent) -> list[Any]:
    from reportlab.platypus import HRFlowable, Paragraph

    notices = " ".join(content.notices)
    name = f": {escape(content.entered.name)}" if content.entered.name else ""
    return [
        Paragraph(
            f"<b>Fetal abdominal circumference{name}</b>",
            _style("title", 14, font_of(content.entered.name)),
        ),
        Paragraph(escape(notices), _style("notice", 8, font_of(notices), spaceBefore=2)),
        HRFlowable(width="100%", thickness=0.6, color="black", spaceBefore=3, spaceAfter=4),
        Paragraph(f"<b>AC {escape(content.value)}</b>", _style("value", 18, spaceAfter=2)),
        Paragraph(escape(content.growth.words), _style("growth", 11, spaceAfter=6)),
    ]


def _lines(lines: list[tuple[str, str]], width: float) -> list[Any]:
    from reportlab.platypus import Table

    cells = [[_small(name), _said(text)] for name, text in lines]
    return [Table(cells, colWidths=[62, width - 66], style=_PLAIN, hAlign="LEFT", spaceAfter=2)]


def _said(text: str) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(escape(text), _style("text", 9, font_of(text)))


def _small(text: str) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(escape(text), _style("small", 7.5, textColor="#444444"))


def _image(png: bytes, width: float, height: float) -> Any:
    from reportlab.platypus import Image

    return Image(io.BytesIO(png), width=width, height=height, kind="proportional", hAlign="LEFT")


def _signature(width: float) -> list[Any]:
    from reportlab.platypus import Table

    line = [("LINEABOVE", (0, 0), (-1, 0), 0.5, "black"), *_PLAIN]
    gap = Table([[_small("Date and signature")]], colWidths=[width / 2], style=line, hAlign="LEFT")
    return [gap]
