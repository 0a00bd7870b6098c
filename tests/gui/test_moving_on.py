"""From one sweep to another: nothing of the one is shown as if it were the other's."""

import sqlite3
import threading

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.widgets import review as review_module
from napari_fetal_iqa.widgets.background import tasks
from napari_fetal_iqa.widgets.background.threads import AHEAD
from napari_fetal_iqa.widgets.shortcuts import Action
from napari_fetal_iqa.widgets.viewer.mask_layer import MASK_NAME

pytestmark = pytest.mark.gui

SECONDS = 1000
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality", demo=True),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)
BEST = 7


def complete(sweep) -> Analysis:
    """An analysis of all frames, of which one shows the abdomen; none where it is a short one."""
    frames = np.arange(len(sweep))
    found = frames == (BEST if len(sweep) > 20 else -1)
    rows, columns = np.ogrid[: sweep.shape[1], : sweep.shape[2]]
    centre, radius = np.array(sweep.shape[1:]) / 2, sweep.shape[1] / 4
    outline = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2
    analysis = Analysis(sweep, SETUP)
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
    return analysis


@pytest.fixture
def exam(tmp_path, phantom):
    """Sweeps of other sizes and lengths than each other."""
    frames, spacing = np.asarray(phantom.sweep.frames), phantom.sweep.spacing_mm
    folder = tmp_path / "exam"
    write_volume(folder / "a.mha", frames[:40], spacing)
    write_volume(folder / "b.mha", frames[10:40, ::2, ::2], spacing)
    write_volume(folder / "c.mha", frames[:15], spacing)
    return folder


@pytest.fixture
def desk(window, exam, tiny_settings, analyser, monkeypatch, qtbot):
    """The review of an exam whose sweeps have all been analysed before; the first one is open."""
    monkeypatch.setattr(
        tasks, "begin_analysis", lambda sweep, *_, **__: (complete(sweep), iter(()))
    )
    monkeypatch.setattr(analyser, "load", lambda *models: None)
    widget = window()
    widget.settings_file.keep(tiny_settings.model_copy(update={"analyse_on_open": True}))
    widget.worklist.open_folder(exam)
    wait_for(qtbot, widget, "a")
    return widget


def wait_for(qtbot, widget, name):
    def is_there():
        opened = widget.presenter
        named = opened is not None and opened.session.sweep.name == name
        return named and not widget.runner.running

    qtbot.waitUntil(is_there, timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: widget.presenter.idle_queue.idle, timeout=20 * SECONDS)
    QApplication.processEvents()  # the layers of the one before go


def frame(widget) -> int:
    return widget.presenter.view.navigator.frame


def test_while_a_sweep_is_read_nothing_is_shown_of_the_one_before(
    desk, exam, phantom, monkeypatch, qtbot
):
    page, viewer = desk.page, desk.viewer
    desk.presenter.actions.label_optimal()
    page.reviewed.click()
    page.scroll_area.verticalScrollBar().setValue(50)
    viewer.camera.zoom = 9
    assert "Demo models" in page.analysis.notice.text()
    may_read, read = threading.Event(), review_module.prepare_sweep
    monkeypatch.setattr(review_module, "prepare_sweep", lambda one: may_read.wait(60) and read(one))
    desk.open_file(str(exam / "b.mha"))
    assert page.opening.text() == "Opening b.mha…"
    assert page.opening.isVisible()
    qtbot.waitUntil(lambda: desk.layer.name == "b", timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: not page.opening.isVisible(), timeout=20 * SECONDS)
    try:
        assert desk.presenter is None
        assert "<b>b</b>" in page.about.text()
        assert page.analysis.models.text() == ""
        assert not page.analysis.notice.isVisible()
        assert page.saved.text() == "Reviewer AK"
        assert not page.reviewed.isChecked()
        assert page.frame.place.text() == page.frame.diameters.text() == "…"
        assert page.scroll_area.verticalScrollBar().value() == 0
        qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers] == ["b"])
        assert viewer.dims.nsteps[0] == 30
        assert viewer.dims.current_step[0] == 0
        assert desk.frame_fit._fitted
    finally:
        may_read.set()
    wait_for(qtbot, desk, "b")
    assert desk.frame_fit._fitted
    assert [layer.name for layer in viewer.layers if MASK_NAME in layer.name] == [MASK_NAME]


def test_each_sweep_of_a_list_begins_where_its_review_stood_or_else_at_its_best_frame(desk, qtbot):
    assert frame(desk) == BEST  # not in the middle, where napari begins
    desk.presenter.actions.go(33)
    desk.do(Action.NEXT_IN_WORKLIST)
    wait_for(qtbot, desk, "b")
    assert frame(desk) == BEST
    assert desk.viewer.dims.nsteps[0] == 30
    assert not [layer.name for layer in desk.viewer.layers if "[1]" in layer.name]
    assert len(desk.viewer.layers) == 5
    desk.do(Action.NEXT_IN_WORKLIST)
    wait_for(qtbot, desk, "c")
    assert frame(desk) == 0
    assert desk.page.best.text() == "No frame to measure"  # and not "yet": all are analysed
    desk.do(Action.PREVIOUS_IN_WORKLIST)
    wait_for(qtbot, desk, "b")
    assert frame(desk) == BEST  # it was not touched
    desk.do(Action.PREVIOUS_IN_WORKLIST)
    wait_for(qtbot, desk, "a")
    assert frame(desk) == 33


def test_a_row_keeps_its_corrections_while_the_store_is_locked(desk, store, qtbot):
    rows = desk.worklist.widget.model.rows
    desk.presenter.actions.label_optimal()
    qtbot.waitUntil(
        lambda: rows[0].facts is not None and rows[0].facts.corrected == 1, timeout=20 * SECONDS
    )
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        desk.presenter.actions.next_frame()
        desk.presenter.actions.label_suboptimal()  # which waits
        qtbot.waitUntil(lambda: rows[0].facts.store_unread, timeout=20 * SECONDS)
        assert rows[0].facts.corrected == 2
        assert rows[0].facts.best_frame is not None
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_wanted_sweep_waits_for_no_models_that_load_for_one_before(desk, qtbot):
    may_go_on = threading.Event()
    desk.worklist.ahead.stop()
    AHEAD.start(AHEAD.worker(may_go_on.wait, 60))  # as while the models of an earlier one load
    try:
        desk.worklist._begin_ahead()
        desk.do(Action.NEXT_IN_WORKLIST)
        wait_for(qtbot, desk, "b")
        assert not may_go_on.is_set()
    finally:
        may_go_on.set()
