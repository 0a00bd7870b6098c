"""The timeline: everything at once, and what the pointer does there."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.widgets.theme import palette_of
from napari_fetal_iqa.widgets.timeline.data import TimelineData, describe
from napari_fetal_iqa.widgets.timeline.widget import Timeline
from napari_fetal_iqa.widgets.viewer.frame_range import FrameRange

Key = Qt.Key
SECONDS = 1000


def data(n_frames=4, **known):
    unknown = {
        "bounds": ((0, n_frames),),
        "quality": np.full(n_frames, np.nan, np.float32),
        "area_fraction": np.full(n_frames, np.nan, np.float32),
        "computed": np.ones(n_frames, bool),
        "ac_mm": np.full(n_frames, np.nan),
        "labels": np.full(n_frames, -1, np.int8),
        "by_expert": np.zeros(n_frames, bool),
    }
    return TimelineData(**unknown | known)


def at(timeline, plot, frame, height):
    """Place in the timeline's widget of a frame at a height of a plot's own scale."""
    scene = plot.vb.mapViewToScene(plot.vb.mapToView(plot.vb.rect().center()))
    scene.setX(plot.vb.mapViewToScene(scene.__class__(frame, 0)).x())
    scene.setY(plot.vb.mapViewToScene(scene.__class__(0, height)).y())
    return timeline._view.mapFromScene(scene)


def drag(timeline, begin: QPoint, end: QPoint):
    """Drag as a person does: press, move in steps, let go."""
    port = timeline._view.viewport()
    QTest.mouseMove(port, begin)
    QTest.mousePress(port, Qt.MouseButton.LeftButton, pos=begin)
    for step in range(1, 11):
        QTest.mouseMove(port, begin + (end - begin) * step / 10)
        QTest.qWait(20)
    QTest.mouseRelease(port, Qt.MouseButton.LeftButton, pos=end)


def test_clicking_the_timeline_moves_the_viewer_and_the_other_way_round(review, qtbot):
    view = review.timeline._view
    plot = review.timeline._quality
    for frame in (10, 44):
        scene = plot.vb.mapViewToScene(plot.vb.mapToView(plot.vb.rect().center()))
        scene.setX(plot.vb.mapViewToScene(scene.__class__(frame, 0.5)).x())
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.mapFromScene(scene))
        assert abs(review.viewer.dims.current_step[0] - frame) <= 1
    review.viewer.dims.set_current_step(0, 25)
    assert review.timeline._cursors[0].value() == 25
    assert "Sweep 2, frame 5" in review.page.frame.place.text()


def test_dragging_over_the_labels_chooses_the_range_that_a_label_goes_to(review, store, phantom):
    timeline = review.timeline
    strip = timeline._labels
    drag(timeline, at(timeline, strip, 22, 0.5), at(timeline, strip, 27, 0.5))
    first, last = review.presenter.view.selection.ends
    assert abs(first - 22) <= 1
    assert abs(last - 27) <= 1
    assert timeline._range.isVisible()
    assert review.presenter.view.navigator.frame == last
    review.presenter.actions.label_none()
    corrections = store.corrections(phantom.sweep.identity)
    assert sorted(corrections) == list(range(first, last + 1))
    assert not timeline._range.isVisible()
    review.presenter.actions.undo()
    assert store.corrections(phantom.sweep.identity) == {}


def test_shift_with_the_arrows_extends_the_range(review, press, store, phantom):
    review.presenter.actions.go(30)
    for _ in range(3):
        press(review, Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    press(review, Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert review.presenter.view.selection.ends == (30, 32)
    press(review, Key.Key_2)
    corrections = store.corrections(phantom.sweep.identity)
    assert {frame: c.label for frame, c in corrections.items()} == dict.fromkeys(
        (30, 31, 32), Label.SUBOPTIMAL
    )


def test_walking_out_of_the_range_forgets_it(review):
    review.presenter.actions.choose_range(10, 14)
    review.presenter.actions.previous_frame()
    assert review.presenter.view.selection.ends == (10, 14)
    review.presenter.actions.go(20)
    assert review.presenter.view.selection.ends is None


def test_a_range_grows_and_shrinks_round_where_it_began():
    chosen, heard = FrameRange(), []
    chosen.changed.connect(heard.append)
    assert list(chosen.frames(5)) == [5]
    chosen.extend(5, 7)
    assert list(chosen.frames(6)) == [5, 6, 7]
    assert list(chosen.frames(9)) == [9]
    chosen.extend(7, 3)
    assert list(chosen.frames(4)) == [3, 4, 5]
    chosen.extend(3, 5)
    assert chosen.ends is None
    chosen.clear()
    assert heard == [(5, 7), (3, 5), None, None]


def test_a_dragged_threshold_changes_the_labels_at_once(review, qtbot):
    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    session, timeline = review.presenter.session, review.timeline
    quality = session.analysis.quality
    middle = float(np.median(quality))
    before = session.labels()[0].copy()
    line = timeline._thresholds[timeline._quality]
    old = line.value()
    drag(
        timeline,
        at(timeline, timeline._quality, 5, old),
        at(timeline, timeline._quality, 5, 0.95),
    )
    assert line.value() == pytest.approx(0.95, abs=0.05)
    assert session.analysis.setup.thresholds.quality == pytest.approx(line.value())
    assert (session.labels()[0] == 1).sum() == 0 or middle > 0.9
    review.presenter.actions.set_thresholds(old, session.analysis.setup.thresholds.area)
    assert np.array_equal(session.labels()[0], before)
    assert line.value() == pytest.approx(old)


def test_hovering_tells_what_is_known_of_a_frame():
    known = data(
        bounds=((0, 2), (2, 4)),
        quality=np.array([0.5, 0.25, 0.831, 0], np.float32),
        area_fraction=np.array([0, 0, 0.1234, 0], np.float32),
        ac_mm=np.array([np.nan, np.nan, 231.44, np.nan]),
        computed=np.array([True, True, True, False]),
    )
    assert describe(known, 2) == (
        "Frame 2, sweep 2, frame 0, quality 0.83, area 12.3 %, AC 231.4 mm"
    )
    assert describe(known, 1) == "Frame 1, sweep 1, frame 1, quality 0.25, area 0.0 %"
    assert describe(known, 3) == "Frame 3, sweep 2, frame 1, not computed yet"


def test_calipers_measure_the_outline_that_counts(review, phantom, qtbot):
    calipers = review.presenter.view.calipers
    shown = int(np.flatnonzero(phantom.labels)[0])
    review.presenter.actions.go(shown)
    assert not calipers.layer.visible
    review.presenter.session.set_mask(shown, phantom.masks[shown] > 0)
    assert calipers.layer.visible
    measured = review.presenter.session.view(shown).measurement
    text, drawn = review.caption, review.viewer.canvas.overlays.text
    assert text.text.startswith(f"AC {measured.circumference_mm:.1f} mm")
    qtbot.waitUntil(lambda: drawn.text == text.text)
    assert drawn.color is None  # no longer transparent: napari's own, legible on the canvas
    ends = calipers.layer.data[-4:].reshape(2, 2, 2) * measured.spacing_mm
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    assert lengths == pytest.approx(measured.diameters_mm)
    empty = int(np.flatnonzero(phantom.labels == 0)[0])
    review.presenter.actions.go(empty)
    assert not calipers.layer.visible
    assert not text.text
    qtbot.waitUntil(lambda: not drawn.text)


def test_a_frame_is_measured_once_it_is_still(review, phantom, qtbot):
    calipers, panel = review.presenter.view.calipers, review.page.frame
    shown = int(np.flatnonzero(phantom.labels)[0])
    review.presenter.session.set_mask(shown, phantom.masks[shown] > 0)
    review.presenter.actions.go(0)
    review.presenter.actions.go(shown)
    assert not calipers.layer.visible
    assert "mm" not in panel.circumference.text()
    qtbot.waitUntil(lambda: calipers.layer.visible)
    assert "mm" in panel.circumference.text()
    assert "expert" in panel.diameters.text()


def test_the_timeline_follows_the_theme(review):
    for theme in ("light", "dark"):
        review.viewer.theme = theme
        assert review.timeline._palette == palette_of(theme)


def test_the_star_lies_on_the_area_where_nothing_scores_quality(qtbot):
    timeline = Timeline()
    qtbot.addWidget(timeline)
    area = np.array([0.0, 0.1, 0.2, 0.0], np.float32)

    def stars(quality, best):
        scores = np.asarray(quality, np.float32)
        timeline.show_data(data(quality=scores, area_fraction=area, best=best))
        plots = timeline._quality, timeline._area
        return [list(zip(*timeline._stars[plot].getData(), strict=True)) for plot in plots]

    assert stars([np.nan] * 4, 2) == [[], [(2, pytest.approx(20))]]
    assert stars([0, 0.5, 0.25, 0], 2) == [[(2, 0.25)], []]
    assert stars([0, 0, 0, 0], -1) == [[], []]


def test_letters_are_drawn_ahead_once_in_the_life_of_a_window(review, show, phantom, qtbot):
    text, drawn = review.caption, []
    review.viewer.canvas.overlays.text.events.text.connect(drawn.append)
    qtbot.waitUntil(lambda: not text._letters.isActive(), timeout=30000)
    assert len([letter for letter in drawn if len(letter) == 1]) > 5
    drawn.clear()
    review.viewer.layers.remove(review.layer)
    qtbot.waitUntil(lambda: len(review.viewer.layers) == 0)
    show(review, phantom.sweep)
    qtbot.waitUntil(lambda: not text._letters.isActive(), timeout=30000)
    assert not any(drawn)


def wheel(timeline, frame, notches):
    """Turn the wheel over a frame."""
    port = timeline._view.viewport()
    place = QPointF(at(timeline, timeline._quality, frame, 0.5))
    for _ in range(abs(notches)):
        turned = QWheelEvent(
            place,
            QPointF(port.mapToGlobal(place.toPoint())),
            QPoint(),
            QPoint(0, 120 if notches > 0 else -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(port, turned)


def test_what_is_zoomed_follows_the_frame_until_it_is_fitted_again(review, qtbot, press):
    timeline = review.timeline
    everything = timeline._quality.vb.viewRange()[0]
    assert not timeline.fit_button.isEnabled()
    wheel(timeline, 30, 12)
    left, right = timeline._quality.vb.viewRange()[0]
    assert right - left < 0.8 * (everything[1] - everything[0])
    assert left < 30 < right
    last = len(review.presenter.session.sweep) - 1
    for frame in (last, 0, 20):
        review.presenter.actions.go(frame)
        left_now, right_now = timeline._quality.vb.viewRange()[0]
        assert left_now <= frame <= right_now
        assert right_now - left_now == pytest.approx(right - left)
    qtbot.mouseClick(timeline.fit_button, Qt.MouseButton.LeftButton)
    assert timeline._quality.vb.viewRange()[0] == pytest.approx(everything)
    assert not timeline.fit_button.isEnabled()


def test_a_double_click_shows_all_frames_and_leaves_the_frame(review):
    timeline = review.timeline
    everything = timeline._quality.vb.viewRange()[0]
    wheel(timeline, 30, 12)
    review.presenter.actions.go(28)
    port = timeline._view.viewport()
    for plot in (timeline._quality, timeline._labels, timeline._names._plot):
        wheel(timeline, 30, 12)
        place = at(timeline, plot, 31, 0.3)
        # as Qt tells it of a mouse: the second press is the double click
        QTest.mouseClick(port, Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(port, Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseRelease(port, Qt.MouseButton.LeftButton, pos=place)
        assert timeline._quality.vb.viewRange()[0] == pytest.approx(everything)
        assert review.presenter.view.navigator.frame == 28


def test_names_stand_over_their_sweeps_and_values_at_the_thresholds(review, qtbot):
    timeline = review.timeline
    sweeps = len(review.presenter.session.sweep.bounds)
    assert timeline._names.shown == [f"sweep {number}" for number in range(1, sweeps + 1)]
    names = timeline._names._plot.vb.sceneBoundingRect()
    assert names.bottom() <= timeline._quality.vb.sceneBoundingRect().top()
    quality, area = timeline._thresholds.values()
    timeline.show_data(replace(timeline._data, quality_threshold=0.62, area_threshold=0.034))
    assert quality.label.toPlainText() == "0.62"
    assert area.label.toPlainText() == "3.4 %"
    wheel(timeline, 5, 40)  # one sweep fills what is in view, and keeps its name
    assert timeline._names.shown == ["sweep 1"]


def test_there_is_no_axis_before_there_are_frames(qtbot):
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.show()
    assert not timeline._view.isVisible()
    assert "once the sweep is read" in timeline._empty.text()
    timeline.show_data(data())
    assert timeline._view.isVisible()
    timeline.clear()
    assert not timeline._view.isVisible()
