"""The strip of small pictures above the timeline, in a real window."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QRect, Qt
from qtpy.QtTest import QTest

from napari_fetal_iqa import colours
from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.widgets.candidates.strip import places
from napari_fetal_iqa.widgets.candidates.thumbnails import HEIGHT, WIDTH, small
from napari_fetal_iqa.widgets.theme import palette_of

pytestmark = pytest.mark.gui

SECONDS = 1000
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality"),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)


@pytest.fixture
def analysed(review, qtbot):
    """The phantom on the review, analysed by models that know its abdomens."""
    session = review.presenter.session
    frames = np.arange(len(session.sweep))
    rows, columns = np.ogrid[: session.sweep.shape[1], : session.sweep.shape[2]]
    height, width = session.sweep.shape[1:]
    outline = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 <= (height / 4) ** 2
    found = np.isin(frames, (2, 3, 7, len(frames) - 3))
    analysis = Analysis(session.sweep, SETUP)
    analysis.add(
        FrameResults(
            frames=frames,
            quality=np.where(found, 0.9, 0.1).astype(np.float32),
            area_fraction=np.where(found, 0.2, 0.0).astype(np.float32),
            masks=tuple(encode_mask(outline & bool(one)) for one in found),
            ac_mm=np.where(found, 200.0, np.nan),
            non_black=np.ones(len(frames), bool),
            seconds={},
        )
    )
    session.begin_analysis(analysis)
    review.presenter.idle_queue.now()
    return review


@pytest.fixture
def strip(analysed, qtbot):
    """The strip, shown by its button: at this height it waits until it is wanted."""
    assert not analysed.candidates.visible
    analysed.page.candidates.click()
    qtbot.waitUntil(lambda: bool(candidates(analysed)), timeout=20 * SECONDS)
    return analysed.candidates.strip


def candidates(widget):
    return widget.candidates.strip.model.candidates


def made(strip, row):
    return strip.model.index(row, 0).data(Qt.ItemDataRole.DecorationRole)


def test_pictures_come_with_quality_and_ac_and_a_click_goes_there(analysed, strip, qtbot):
    qtbot.waitUntil(
        lambda: all(made(strip, row) is not None for row in range(len(candidates(analysed)))),
        timeout=20 * SECONDS,
    )
    picture = made(strip, 0)
    assert picture.width() <= WIDTH
    assert picture.height() <= HEIGHT
    assert picture.pixelColor(picture.rect().center()).lightness() > 0
    figures = strip.model.index(0, 0).data(Qt.ItemDataRole.StatusTipRole)
    assert figures.startswith("0.90 · ")
    assert figures.endswith(" mm")
    wanted = candidates(analysed)[-1].frame
    index = strip.model.index(len(candidates(analysed)) - 1, 0)
    strip.list.scrollTo(index)
    QTest.mouseClick(
        strip.list.viewport(),
        Qt.MouseButton.LeftButton,
        pos=strip.list.visualRect(index).center(),
    )
    assert analysed.presenter.view.navigator.frame == wanted


def test_keys_go_from_candidate_to_candidate(analysed, press, qtbot):
    analysed.presenter.actions.go(0)
    control = Qt.KeyboardModifier.ControlModifier
    press(analysed, Qt.Key.Key_Right, control)
    first = analysed.presenter.view.navigator.frame
    assert first > 0
    press(analysed, Qt.Key.Key_Right, control)
    assert analysed.presenter.view.navigator.frame > first
    press(analysed, Qt.Key.Key_Left, control)
    assert analysed.presenter.view.navigator.frame == first


def test_the_strip_follows_the_expert_and_is_reached_by_tab_and_arrows(analysed, strip, qtbot):
    before = len(candidates(analysed))
    gone = candidates(analysed)[0].frame
    analysed.presenter.actions.go(gone)
    analysed.presenter.actions.label_none()
    qtbot.waitUntil(
        lambda: gone not in [one.frame for one in candidates(analysed)], timeout=20 * SECONDS
    )
    assert len(candidates(analysed)) <= before
    strip.list.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(strip.list, Qt.Key.Key_Down)
    QTest.keyClick(strip.list, Qt.Key.Key_Return)
    chosen = candidates(analysed)[strip.list.currentIndex().row()].frame
    assert analysed.presenter.view.navigator.frame == chosen
    tip = strip.model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "sweep" in tip
    assert "frame" in tip


def test_without_an_analysis_the_strip_says_what_to_do_and_comes_back_after_its_x(review, qtbot):
    review.page.candidates.click()
    assert review.candidates.visible
    why = review.candidates.strip.why_empty
    qtbot.waitUntil(lambda: "analyse" in why.text(), timeout=20 * SECONDS)
    dock = review.candidates.dock
    dock.destroyOnClose()  # its X
    assert not review.candidates.visible
    assert not review.page.candidates.isChecked()
    menu = review.viewer.window.window_menu
    {action.text(): action for action in menu.actions()}["Candidates"].trigger()
    assert review.candidates.visible


@pytest.mark.parametrize("shape", [(562, 744), (40, 30), (2000, 20), (1, 1)])
def test_small_pictures_fit_whatever_the_frame(shape):
    frame = np.full(shape, 77, np.uint8)
    picture = small(frame)
    assert picture.shape[0] <= HEIGHT
    assert picture.shape[1] <= WIDTH
    assert (picture == 77).all()


def test_pictures_that_have_no_room_are_counted_and_reached_without_a_scroll_bar(
    analysed, strip, qtbot
):
    row, overflow = strip.list, strip.currentWidget()
    assert row.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    qtbot.waitUntil(lambda: not overflow._soon.isActive(), timeout=20 * SECONDS)
    assert overflow.behind.isHidden() == (len(candidates(analysed)) * 116 <= overflow.width())
    one = candidates(analysed)[0]
    strip.show_candidates([replace(one, frame=frame) for frame in range(40)], None)
    qtbot.waitUntil(lambda: overflow.behind.isVisible(), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: row.viewport().width() % 116 == 0)  # no half of a figure is seen
    room = row.viewport().width() // 116
    qtbot.waitUntil(lambda: overflow.behind.text() == f"{40 - room} ›", timeout=20 * SECONDS)
    assert not overflow.before.isEnabled()
    QTest.mouseClick(overflow.behind, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: overflow.before.text() == f"‹ {room}", timeout=20 * SECONDS)

    def at_the_end() -> bool:
        overflow.behind.click()
        return not overflow.behind.isEnabled()

    qtbot.waitUntil(at_the_end, timeout=20 * SECONDS)
    assert row.visualRect(strip.model.index(39, 0)).right() <= row.viewport().width()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_frame_around_the_chosen_picture_is_seen_on_the_panel(theme):
    palette = palette_of(theme)
    assert colours.contrast(palette.highlight, palette.background) >= 3
    assert palette.highlight != palette.text


def test_on_a_low_screen_strip_and_timeline_take_turns(analysed, monkeypatch, qtbot):
    monkeypatch.setattr("napari_fetal_iqa.widgets.candidates.controller.is_low", lambda _: True)
    strip, timeline, page = analysed.candidates, analysed.timeline_dock, analysed.page

    def is_seen(which):
        other = timeline if which is strip else strip
        buttons = {strip: page.candidates, timeline: page.timeline}
        return lambda: (
            (which.visible, other.visible) == (True, False)
            and buttons[which].isChecked()
            and not buttons[other].isChecked()
        )

    qtbot.waitUntil(lambda: timeline.visible and page.timeline.isChecked())
    page.candidates.click()
    qtbot.waitUntil(is_seen(strip), timeout=20 * SECONDS)
    timeline.begin()  # as the next sweep does
    assert is_seen(strip)()
    page.candidates.click()
    qtbot.waitUntil(is_seen(timeline), timeout=20 * SECONDS)
    page.candidates.click()
    qtbot.waitUntil(is_seen(strip), timeout=20 * SECONDS)
    page.timeline.click()
    qtbot.waitUntil(is_seen(timeline), timeout=20 * SECONDS)


def test_the_frame_of_the_one_on_the_screen_runs_into_none_of_its_words():
    item = QRect(200, 3, WIDTH + 12, HEIGHT + 2 * 15 + 12)
    picture, around, lines = places(item, 15)
    for line in lines:
        assert not around.intersects(line)
        assert item.contains(line)
    assert around.contains(picture)
    assert item.contains(around)
