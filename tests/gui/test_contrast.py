"""Text reaches contrast 4.5 and marks 3 in every theme of napari (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re

import pyqtgraph as pg
import pytest
from napari.utils.theme import available_themes
from qtpy.QtWidgets import QLabel

from napari_fetal_iqa import colours
from napari_fetal_iqa.colours import MARK_CONTRAST, TEXT_CONTRAST, contrast
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.widgets.theme import palette_of

pytestmark = pytest.mark.gui

SECONDS = 1000
THEMES = [name for name in available_themes() if name != "system"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colour", colours.ALL)
def test_our_colours_as_text_and_as_marks(theme, colour):
    palette = palette_of(theme)
    assert contrast(palette.ink(colour), palette.background) >= TEXT_CONTRAST
    assert contrast(palette.mark(colour), palette.background) >= MARK_CONTRAST
    assert contrast(palette.text, palette.fill(colour)) >= TEXT_CONTRAST


@pytest.mark.parametrize("theme", THEMES)
def test_text_and_muted_lines(theme):
    palette = palette_of(theme)
    assert contrast(palette.text, palette.background) >= TEXT_CONTRAST
    assert contrast(palette.muted, palette.background) >= MARK_CONTRAST


def named(colour) -> str:
    return pg.mkColor(colour).name()


def marks_of(timeline) -> dict[str, str]:
    """The colours in which the timeline draws now, by what they mark."""
    (quality, _), (star, _) = timeline._curves.values(), timeline._stars.values()
    marks = {
        "curve": named(pg.mkPen(quality.opts["pen"]).color()),
        "star": named(star.opts["brush"].color()),
        "by expert": named(timeline._by_expert.opts["brush"].color()),
        "disagreement": named(timeline._disagreements.opts["brush"].color()),
    }
    for number, bars in enumerate(timeline._strip):
        marks[f"label {number}"] = named(pg.mkBrush(bars.opts["brush"]).color())
    for number, line in enumerate(timeline._thresholds.values()):
        marks[f"threshold {number}"] = named(line.pen.color())
    return marks


def texts_of(panel) -> dict[str, str]:
    """The colours in which the labels of a panel are written where it is not the theme's own."""
    found = {}
    for label in panel.findChildren(QLabel):
        for colour in re.findall(r"color: ?(#[0-9a-fA-F]{6})", label.styleSheet() + label.text()):
            found[label.text() or label.objectName() or repr(label)] = colour
    return found


def test_what_the_window_draws_in_either_theme(review, store, phantom, qtbot):
    with CorrectionStore(store.path) as there:
        there.set_label(phantom.sweep.identity, 20, Label.NONE, "BM")
    choice = review.page.reviewers.choice
    qtbot.waitUntil(lambda: choice.count() == 3, timeout=20 * SECONDS)
    choice.setCurrentIndex(2)
    choice.activated.emit(2)
    review._show_error("something went wrong")
    review.page.analysis.notice.setText("Demo models: not for clinical use")
    for theme in ("light", "dark", "light"):
        review.viewer.theme = theme
        background = palette_of(theme).background
        marks, texts = marks_of(review.timeline), texts_of(review)
        assert len(texts) >= 4, texts
        too_weak = {
            **{
                what: (colour, round(contrast(colour, background), 2))
                for what, colour in marks.items()
                if contrast(colour, background) < MARK_CONTRAST
            },
            **{
                what: (colour, round(contrast(colour, background), 2))
                for what, colour in texts.items()
                if contrast(colour, background) < TEXT_CONTRAST
            },
        }
        assert not too_weak, theme
