"""The type of a PDF: one that has every letter of a name, or a refusal.

Helvetica comes with every reader of PDFs and has the letters of western Europe; DejaVu Sans, which
comes with matplotlib, those of most alphabets. A PDF shows a letter that its type lacks as a black
box, and a script that runs from right to left backwards, so that neither is written.
"""

import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

from napari_fetal_iqa.errors import FetalIqaError

WESTERN: Final = "Helvetica"
_WIDER: Final = "DejaVuSans"


def font_of(text: str) -> str:
    """Return the name of the type in which a text can be read.

    Raises
    ------
    FetalIqaError
        Where there is none; says which letters.
    """
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        known = _wider_letters()
    else:
        return WESTERN
    lacking = {
        sign
        for sign in text
        if ord(sign) not in known or unicodedata.bidirectional(sign) in ("R", "AL")
    }
    if lacking:
        shown = "".join(sorted(lacking))[:20]
        raise FetalIqaError(
            f"a PDF cannot show {shown} of a name; write the report as .html and print that"
        )
    return _WIDER


@cache
def _wider_letters() -> frozenset[int]:
    """Register DejaVu Sans, and return which letters it has."""
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    plain = TTFont(_WIDER, folder / "DejaVuSans.ttf")
    bold = TTFont(f"{_WIDER}-Bold", folder / "DejaVuSans-Bold.ttf")
    for font in (plain, bold):
        pdfmetrics.registerFont(font)
    pdfmetrics.registerFontFamily(_WIDER, _WIDER, f"{_WIDER}-Bold", _WIDER, f"{_WIDER}-Bold")
    return frozenset(plain.face.charToGlyph) & frozenset(bold.face.charToGlyph)
