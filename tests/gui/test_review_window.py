"""What a person does at the window, and sees."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QApplication, QProgressBar

from napari_fetal_iqa.analysis import Analysis, FrameResults
from napari_fetal_iqa.corrections import Label
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.review.session import Source
from napari_fetal_iqa.storage.settings import Settings, load_settings, save_settings
from napari_fetal_iqa.widgets.viewer.mask_layer import EXPERT_VALUE, MODEL_VALUE

Key = Qt.Key
SECONDS = 1000


def analyse(widget, qtbot):
    widget.presenter.analyse()
    qtbot.waitUntil(lambda: not widget.runner.running, timeout=120 * SECONDS)
    assert widget.presenter.session.analysis.complete
    qtbot.waitUntil(lambda: not widget.presenter.view._when_idle.isActive(), timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: widget.presenter.idle_queue.idle, timeout=20 * SECONDS)


def test_an_empty_review_says_what_to_do(window, tiny_settings):
    widget = window()
    assert widget._pages.currentWidget() is widget.welcome
    assert widget.timeline_dock.dock is None
    offered = widget.welcome.findChildren(QAbstractButton)
    texts = [button.text() for button in offered if button.isVisibleTo(widget.welcome)]
    asked = ["Yes, always", "No, ask me"]  # once, which reader napari shall use
    assert texts == ["Open a sweep…", "Open a folder…", "Try the phantom", *asked]


def test_every_control_has_a_tooltip(review):
    controls = review.page.findChildren(QAbstractButton) + review.page.findChildren(QProgressBar)
    shown = [control for control in controls if control.isVisibleTo(review.page)]
    assert len(shown) > 10
    assert [control.text() for control in shown if not control.toolTip()] == []


def test_a_sweep_on_the_desk_is_named_and_measured_in_mm(review, phantom):
    assert phantom.sweep.name in review.page.about.text()
    assert "60 frames, 3 sweeps" in review.page.about.text()
    assert review.timeline_dock.visible
    overlay = review.presenter.view.overlay.layer
    assert tuple(overlay.scale) == tuple(review.layer.scale) == (1, *phantom.sweep.spacing_mm)
    assert overlay.units == review.layer.units
    assert overlay.data.shape == review.layer.data.shape


def test_what_must_be_known_of_the_spacing_stands_beneath_it(review, phantom):
    assert "placeholder" not in review.page.about.text()

    review.page.show_sweep(replace(phantom.sweep, spacing_note="1 mm is a placeholder"))

    assert review.page.about.text().endswith("<br>1 mm is a placeholder")


def test_a_stack_that_someone_else_opened_is_reviewed_too(window, tiny_settings, qtbot):
    widget = window()
    widget.viewer.add_image(np.zeros((4, 5, 6), np.float32), name="no sweep")
    assert widget.layer is None
    frames = np.random.default_rng(0).integers(0, 255, (12, 40, 50), dtype=np.uint8)
    widget.viewer.add_image(frames, name="frames")
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    assert widget.presenter.session.sweep.spacing_mm is None
    assert "nothing can be measured" in widget.page.about.text()


def test_closing_the_sweep_clears_the_desk(review, qtbot):
    review.viewer.layers.remove(review.layer)
    assert review.presenter is None
    qtbot.waitUntil(lambda: len(review.viewer.layers) == 0)
    qtbot.waitUntil(lambda: not review.timeline_dock.visible)
    assert review._pages.currentWidget() is review.welcome


def test_the_analysis_paints_masks_and_scores(review, qtbot):
    analyse(review, qtbot)
    analysis = review.presenter.session.analysis
    for frame in (0, 31, 59):
        assert np.array_equal(
            review.presenter.view.overlay.layer.data[frame] == MODEL_VALUE, analysis.mask(frame)
        )
    assert np.array_equal(review.timeline._data.quality, analysis.quality)
    review.presenter.actions.go(31)
    assert f"Quality {analysis.quality[31]:.2f}" == review.page.frame.quality.text
    assert analysis.setup.cls_model.id in review.page.analysis.models.text()


def test_even_a_few_results_are_shown_in_turns_the_frame_on_the_screen_first(
    review, phantom, qtbot
):
    mask = phantom.masks[np.argmax((phantom.masks > 0).sum((1, 2)))] > 0
    frames = np.array([3, 4, 5])
    review.presenter.actions.go(5)
    review.presenter.session.begin_analysis(Analysis(phantom.sweep))
    qtbot.waitUntil(
        lambda: review.presenter.idle_queue.idle and not review.presenter.view._when_idle.isActive()
    )

    review.presenter._results_came(
        FrameResults(
            frames=frames,
            quality=np.full(3, 0.9, np.float32),
            area_fraction=np.full(3, mask.mean(), np.float32),
            masks=(encode_mask(mask),) * 3,
            ac_mm=np.full(3, np.nan),
            non_black=np.ones(3, bool),
            seconds={},
        )
    )

    layer = review.presenter.view.overlay.layer.data
    assert not layer[frames].any()  # this turn is over before anything is drawn
    assert not review.presenter.idle_queue.idle
    review.presenter.view._paint_some()
    assert [bool(layer[frame].any()) for frame in frames] == [False, False, True]
    qtbot.waitUntil(
        lambda: review.presenter.idle_queue.idle and not review.presenter.view._when_idle.isActive()
    )
    assert all(np.array_equal(layer[frame] == MODEL_VALUE, mask) for frame in frames)
    assert review.page.frame.quality.text == "Quality 0.90"


def test_an_analysis_can_be_cancelled_and_run_again(review, qtbot):
    review.presenter.analyse()
    qtbot.waitUntil(lambda: review.timeline._data.computed.any(), timeout=120 * SECONDS)
    review.page.analysis.cancel.click()
    assert not review.runner.running
    assert review.page.analysis.analyse.isVisibleTo(review.page)
    analyse(review, qtbot)


def test_a_model_that_is_not_there_is_one_line_of_trouble(review, qtbot):
    review.page.settings.choose_model("cls", "no-such-model")
    assert load_settings().cls_model == "no-such-model"
    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    assert review.page.analysis.error.text().startswith("no-such-model: no such model folder")
    assert review.page.analysis.error_box.isVisibleTo(review.page)


def test_a_damaged_file_is_one_line_of_trouble(window, tiny_settings, tmp_path, qtbot):
    widget = window()
    (tmp_path / "broken.mha").write_bytes(b"ObjectType = Image\nNDims = 3\nDimSize = 4 4")
    widget.open_file(str(tmp_path / "broken.mha"))
    qtbot.waitUntil(lambda: bool(widget.welcome.error.text()), timeout=20 * SECONDS)
    assert "broken.mha" in widget.welcome.error.text()
    assert "\n" not in widget.welcome.error.text()


def test_keys_label_the_frame_and_move_along(review, press, store, phantom):
    review.presenter.actions.go(30)
    press(review, Key.Key_1)
    press(review, Key.Key_Right)
    press(review, Key.Key_2)
    press(review, Key.Key_PageDown)
    press(review, Key.Key_0)
    press(review, Key.Key_Home)
    assert review.presenter.view.navigator.frame == 40
    press(review, Key.Key_End)
    press(review, Key.Key_PageUp)
    assert review.presenter.view.navigator.frame == 39
    labels = {f: c.label for f, c in store.corrections(phantom.sweep.identity).items()}
    assert labels == {30: Label.OPTIMAL, 31: Label.SUBOPTIMAL, 51: Label.NONE}
    assert "3 frames corrected, saved" in review.page.saved.text()
    review.presenter.actions.go(30)
    assert review.page.frame.label_buttons[Label.OPTIMAL].isChecked()


def test_keys_belong_to_napari_while_the_widget_is_hidden(review, press):
    review.parent().hide()
    assert not review._keys.active
    review.parent().show()
    assert review._keys.active


def stroke(widget, frame, centre, radius):
    """Paint with the brush of the labels layer, as a mouse stroke does."""
    layer = widget.presenter.view.overlay.layer
    widget.presenter.actions.go(frame)
    widget.presenter.actions.paint()
    assert layer.mode == "paint"
    layer.brush_size = 2 * radius
    with layer.block_history():
        layer.paint((frame, *centre), layer.selected_label)
    QApplication.processEvents()


def test_a_stroke_is_the_experts_mask_and_in_the_store(review, store, phantom):
    stroke(review, 12, (70, 90), 15)
    mask = review.presenter.session.mask(12)
    assert review.presenter.session.mask_source(12) is Source.EXPERT
    assert mask[70, 90]
    assert mask.sum() == pytest.approx(np.pi * 15**2, rel=0.15)
    assert set(store.corrections(phantom.sweep.identity)) == {12}
    assert "expert's outline" in review.page.frame.diameters.text()


def test_a_stroke_begins_from_the_models_outline(review, qtbot, phantom):
    analyse(review, qtbot)
    session = review.presenter.session
    frame = next(f for f in range(60) if session.analysis.mask(f).sum() > 50)
    before = session.analysis.mask(frame)
    stroke(review, frame, (70, 90), 12)
    mask = session.mask(frame)
    assert session.mask_source(frame) is Source.EXPERT
    assert mask[before].all()
    assert mask[70, 90]
    shown = review.presenter.view.overlay.layer.data[frame]
    assert np.array_equal(shown, EXPERT_VALUE * mask)


def test_undo_and_redo_go_over_labels_and_masks_in_order(review, press, phantom):
    control = Qt.KeyboardModifier.ControlModifier
    session = review.presenter.session
    stroke(review, 12, (70, 90), 15)
    review.presenter.actions.label_optimal()
    review.presenter.actions.go(40)
    press(review, Key.Key_Z, control)
    assert review.presenter.view.navigator.frame == 12
    assert session.view(12).label is None
    press(review, Key.Key_Z, control)
    assert session.corrections() == {}
    assert not review.presenter.view.overlay.layer.data[12].any()
    press(review, Key.Key_Y, control)
    assert session.view(12).mask_source is Source.EXPERT
    assert review.presenter.view.overlay.layer.data[12].any()


def test_clear_and_revert(review, qtbot, press):
    analyse(review, qtbot)
    session = review.presenter.session
    frame = next(f for f in range(60) if session.analysis.mask(f).any())
    review.presenter.actions.go(frame)
    press(review, Key.Key_X)
    assert not review.presenter.view.overlay.layer.data[frame].any()
    assert session.view(frame).mask_source is Source.EXPERT
    press(review, Key.Key_V)
    assert session.corrections() == {}
    assert (review.presenter.view.overlay.layer.data[frame] == MODEL_VALUE).any()


def test_accept_confirms_and_goes_to_the_next(review, qtbot, press):
    analyse(review, qtbot)
    session = review.presenter.session
    analysis = session.analysis
    analysis.quality[:] = 0.01
    analysis.quality[[5, 20, 50]] = 0.99
    analysis.area_fraction[:] = 0.0
    analysis.area_fraction[[5, 20, 50]] = 0.2
    review.presenter.actions.go(5)
    press(review, Key.Key_Return)
    assert review.presenter.view.navigator.frame == 20
    assert session.corrections()[5].accepted
    press(review, Key.Key_N)
    assert review.presenter.view.navigator.frame == 50
    press(review, Key.Key_B)
    assert review.presenter.view.navigator.frame == session.best_frame()


def test_corrections_come_back_when_the_sweep_is_opened_again(review, show, phantom):
    stroke(review, 12, (70, 90), 15)
    review.presenter.actions.label_suboptimal()
    review.viewer.layers.clear()
    show(review, phantom.sweep)
    assert review.presenter.session.view(12).label is Label.SUBOPTIMAL
    assert (review.presenter.view.overlay.layer.data[12] == EXPERT_VALUE).any()
    assert review.timeline._data.by_expert[12]


def test_a_correction_that_cannot_be_saved_is_reported_and_stays_on_the_screen(review, store):
    store._connection.execute("PRAGMA query_only = ON")
    stroke(review, 12, (70, 90), 15)
    assert "not saved" in review.page.saved.text()
    assert "cannot be written" in review.page.analysis.error.text()
    assert review.presenter.view.overlay.layer.data[12].any()
    assert review.presenter.session.unsaved == 1
    store._connection.execute("PRAGMA query_only = OFF")
    review.presenter.actions.label_optimal()
    assert review.presenter.session.unsaved == 0
    assert (review.presenter.view.overlay.layer.data[12] == EXPERT_VALUE).any()
    assert [event.kind.value for event in store.events()] == ["mask", "label"]
    assert "1 frame corrected, saved" in review.page.saved.text()


def test_the_brush_and_the_overlay_answer_to_keys(review, press):
    layer = review.presenter.view.overlay.layer
    press(review, Key.Key_P)
    assert layer.mode == "paint"
    size = layer.brush_size
    press(review, Key.Key_Plus)
    assert layer.brush_size > size
    press(review, Key.Key_Minus)
    press(review, Key.Key_Minus)
    assert layer.brush_size < size
    press(review, Key.Key_R)
    assert layer.mode == "erase"
    press(review, Key.Key_Escape)
    assert layer.mode == "pan_zoom"
    press(review, Key.Key_H)
    assert not layer.visible
    press(review, Key.Key_H)
    assert layer.visible
    press(review, Key.Key_O)
    assert layer.contour == 0
    assert layer.opacity < 0.5
    press(review, Key.Key_O)
    assert layer.contour > 0


def test_enter_in_a_field_is_no_correction(review, qtbot, press, store):
    from napari_fetal_iqa.widgets.forms import text_line

    analyse(review, qtbot)
    field = text_line(review.page.settings.form.controls["reviewer"])
    review.page.settings.parent().parent().expand(animate=False)
    press(review, Key.Key_0)
    assert len(store.events()) == 1
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    field.setText("BM")
    qtbot.keyClick(field, Key.Key_Return)
    assert len(store.events()) == 1
    assert load_settings().reviewer == "BM"


def test_results_do_not_paint_under_the_brush(review, qtbot):
    analyse(review, qtbot)
    frame = next(f for f in range(60) if review.presenter.session.analysis.mask(f).any())
    overlay = review.presenter.view.overlay
    review.presenter.actions.go(frame)
    overlay._dragging = True
    overlay.layer.data[frame, 5, 5] = EXPERT_VALUE
    review.presenter.view.paint([frame])
    assert overlay.layer.data[frame, 5, 5] == EXPERT_VALUE
    overlay._dragging = False
    overlay.report_strokes()
    assert overlay.layer.data[frame, 5, 5] != EXPERT_VALUE


def test_a_longer_layer_beside_the_sweep_gets_no_corrections(review, store):
    review.viewer.add_points(np.array([[100.0, 5, 5]]))
    review.viewer.dims.set_point(0, 90)
    review.presenter.actions.label_optimal()
    assert store.events() == []
    assert "no frame of this sweep is on the screen" in review.page.analysis.error.text()
    review.presenter.actions.last_frame()
    review.presenter.actions.label_optimal()
    assert [event.frame for event in store.events()] == [59]


def test_a_second_sweep_takes_the_desk_and_gives_it_back(review, show, phantom, qtbot, store):
    first = review.layer
    review.presenter.actions.go(40)
    frames = phantom.sweep.frames[:20] // 2
    second = show(review, type(phantom.sweep)(frames, phantom.sweep.spacing_mm, name="second"))
    qtbot.waitUntil(lambda: review.presenter is not None and review.layer is second)
    assert not first.visible
    assert review.presenter.view.navigator.on_sweep
    review.viewer.layers.remove(second)
    qtbot.waitUntil(
        lambda: review.presenter is not None and review.layer is first, timeout=20 * SECONDS
    )


def test_outlines_deleted_by_hand_come_back(review, qtbot):
    stroke(review, 12, (70, 90), 15)
    review.viewer.layers.remove(review.presenter.view.overlay.layer)
    qtbot.waitUntil(lambda: len(review.viewer.layers) == 5)
    assert (review.presenter.view.overlay.layer.data[12] == EXPERT_VALUE).any()
    review.viewer.layers.select_all()
    review.viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: len(review.viewer.layers) == 0)
    assert review.presenter is None


def test_a_projection_of_the_sweep_is_no_sweep(review):
    layer = review.layer
    review.viewer.add_image(phantom_mean(layer), metadata=layer.metadata)
    assert review.layer is layer


def phantom_mean(layer):
    return np.asarray(layer.data).mean(axis=0).astype(np.uint8)


def test_closing_the_dock_takes_everything_away(review, qtbot):
    viewer = review.viewer
    viewer.window.remove_dock_widget(review)
    assert review._closed
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    qtbot.waitUntil(lambda: not review.timeline_dock.visible)
    viewer.dims.set_current_step(0, 5)


def test_another_reviewer_is_kept_for_the_next_start(review, store, phantom):
    review.presenter.actions.label_optimal()
    review.page.settings.form.set_field("reviewer", "BM")
    review.presenter.actions.label_none()
    assert load_settings().reviewer == "BM"
    assert store.reviewers(phantom.sweep.identity) == ["AK", "BM"]
    assert "Reviewer BM" in review.page.saved.text()


def test_help_lists_every_key_and_every_action_is_done_by_something(review, qtbot):
    from napari_fetal_iqa.widgets import shortcuts

    table = shortcuts.help_html()
    for key in shortcuts.KEYS:
        assert key.does in table
    assert set(review._handlers) == set(shortcuts.Action)


def test_keys_that_move_or_scale_repeat_while_held_and_those_that_correct_do_not(review):
    from napari_fetal_iqa.widgets.shortcuts import KEYS

    repeating = {
        shortcut.key().toString() for shortcut in review._keys._shortcuts if shortcut.autoRepeat()
    }
    assert {"Left", "Right", "PgUp", "PgDown", "+", "-", "Ctrl+Z"} <= repeating
    assert not repeating & {"1", "2", "0", "Return", "X", "V", "C", "A", "Space"}
    assert len(repeating) == sum(len(key.keys) for key in KEYS if key.repeats)


def test_a_key_without_a_sweep_does_nothing(window, tiny_settings, press):
    widget = window()
    for key in (Key.Key_1, Key.Key_P, Key.Key_Right, Key.Key_A):
        press(widget, key)
    assert widget.presenter is None
    assert not widget.runner.running


def test_the_page_of_keys_is_the_table():
    from napari_fetal_iqa.widgets import shortcuts

    page = Path(__file__).parents[2] / "docs" / "keys.md"
    assert page.read_text(encoding="utf-8") == shortcuts.help_markdown()


def test_a_window_with_an_analysed_sweep_has_no_torch(review, qtbot):
    analyse(review, qtbot)
    assert "torch" not in sys.modules


OPEN_AS_A_PLUGIN = """
import napari, os, sys
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
dock, widget = viewer.window.add_plugin_dock_widget("napari-fetal-iqa")
viewer.open_sample("napari-fetal-iqa", "phantom_small")
for _ in range(3000):
    QApplication.processEvents()
    if widget.presenter is not None:
        break
    time.sleep(0.01)
print(type(widget).__name__, widget.presenter is not None, "torch" in sys.modules, flush=True)
os._exit(0)
"""


def test_napari_opens_the_widget_as_a_plugin_without_torch(tmp_path):
    save_settings(Settings(analyse_on_open=False))
    done = subprocess.run(
        [sys.executable, "-c", "import time" + OPEN_AS_A_PLUGIN],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["ReviewWidget", "True", "False"], done.stderr
