"""The section Learn, with a trainer that speaks as the real one does."""

import json
import sys
from pathlib import Path

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton, QWidget

from napari_fetal_iqa.finetuning import job as job_module
from napari_fetal_iqa.finetuning import request
from napari_fetal_iqa.finetuning.job import FinetuningJob
from napari_fetal_iqa.finetuning.request import models_folder
from napari_fetal_iqa.model_library import in_use
from napari_fetal_iqa.storage.settings import load_settings
from napari_fetal_iqa.widgets.viewer.compat import main_window

SECONDS = 1000
FAKE = Path(__file__).parents[1] / "napari_fetal_iqa" / "finetuning" / "fake_trainer.py"


@pytest.fixture
def trainer(monkeypatch):
    """Choose how the fake trainer goes."""

    def choose(*how):
        command = [sys.executable, str(FAKE), *how]
        monkeypatch.setattr(job_module, "trainer_command", lambda: command)
        monkeypatch.setattr(request, "trainer_command", lambda: command)

    choose()
    yield choose
    job = FinetuningJob.unfinished_or_unread()
    if job is not None and job.running:
        job.cancel(grace_seconds=1)


def unfold(widget, qtbot):
    panel = widget.page.finetuning
    if not panel.isExpanded():
        panel.toggleButton().click()
    qtbot.waitUntil(lambda: panel.form.refresh.isEnabled(), timeout=30 * SECONDS)
    return panel


def start(widget, qtbot, task="seg"):
    panel = unfold(widget, qtbot)
    panel.form.choices.set_field("task", task)
    panel.form.start.click()
    return panel


def learnt(widget, qtbot, task="seg"):
    panel = start(widget, qtbot, task)
    qtbot.waitUntil(lambda: bool(panel.results), timeout=60 * SECONDS)
    return panel


def test_unfolding_says_what_there_is_to_learn_from(review, qtbot, trainer):
    panel = unfold(review, qtbot)
    summary = panel.form.summary.text()
    assert "Frame quality: 41 frames of 3 sweeps, 20 with the abdomen" in summary
    assert "Outlines: 41 frames" in summary
    assert "Reviewers: AK" in summary
    assert panel.form.start.isEnabled()
    panel.form.choices.set_field("task", "cls")
    assert "Outlines" not in panel.form.summary.text()
    assert "torch" not in sys.modules


def test_too_little_is_one_sentence_and_refresh_asks_again(review, qtbot, trainer):
    trainer("--too-little")
    panel = unfold(review, qtbot)
    assert "no frame has an outline; outline at least 4 frames" in panel.form.summary.text()
    assert not panel.form.start.isEnabled()
    trainer()
    panel.form.refresh.click()
    qtbot.waitUntil(lambda: panel.form.start.isEnabled(), timeout=30 * SECONDS)


def test_a_trainer_that_says_nothing_is_requested_again(review, qtbot, trainer):
    trainer("--no-such-option")
    panel = unfold(review, qtbot)
    assert "press Refresh" in panel.form.summary.text()
    assert not panel.form.start.isEnabled()


def test_without_a_model_to_go_on_from_nothing_is_learnt(review, qtbot, trainer):
    review.page.settings.choose_model("seg", "")
    panel = unfold(review, qtbot)
    assert "No SEG model is chosen" in panel.form.summary.text()
    assert not panel.form.start.isEnabled()
    panel.form.choices.set_field("task", "cls")
    assert panel.form.start.isEnabled()


def test_the_curve_grows_and_stop_keeps_what_was_learnt(review, qtbot, trainer, analyser):
    trainer("--until-stopped", "--pause", "0.02")
    released = analyser.released
    panel = start(review, qtbot)
    assert panel.monitor.isVisible()
    assert not panel.form.isVisible()
    curves = panel.monitor.curves
    qtbot.waitUntil(lambda: curves.drawn[0] > 5 and curves.drawn[1] > 1, timeout=60 * SECONDS)
    drawn = curves.drawn
    qtbot.waitUntil(lambda: curves.drawn[0] > drawn[0], timeout=60 * SECONDS)
    assert panel.monitor.phase.text().startswith("Learning ")
    qtbot.waitUntil(lambda: analyser.released == released + 1, timeout=10 * SECONDS)
    panel.monitor.stop.click()
    assert not panel.monitor.stop.isEnabled()
    qtbot.waitUntil(lambda: bool(panel.results), timeout=60 * SECONDS)
    assert not panel.monitor.isVisible()
    assert panel.results["seg"].use.isEnabled()


def test_cancel_keeps_nothing_and_the_form_is_back(review, qtbot, trainer):
    trainer("--until-stopped", "--pause", "0.02")
    panel = start(review, qtbot)
    job = review.finetuning.job
    qtbot.waitUntil(lambda: panel.monitor.bar.value() > 0, timeout=60 * SECONDS)
    panel.monitor.cancel.click()
    assert panel.form.isVisible()
    assert "nothing" in panel.message.text()
    qtbot.waitUntil(lambda: not job.undecided, timeout=30 * SECONDS)
    assert not job.running
    assert not job.record.outs["seg"].exists()


def test_a_better_model_is_shown_and_used(review, qtbot, trainer):
    panel = learnt(review, qtbot)
    result = panel.results["seg"]
    assert result.verdict.text() == (
        "Better on the hold-out: Dice 0.71 → 0.84, AC error, mm 5.8 → 3.2; A little worse on the "
        "reference set: Dice 0.93 → 0.92, AC error, mm 1.4 → 1.6, which may be chance"
    )
    for text in ("Hold-out", "12 frames", "Reference set", "0.71", "0.84", "+0.13", "AC error"):
        assert text in result.table.text()
    folder = str(result.report.folder)
    before = review.settings_file.settings.seg_model
    result.use.click()
    assert (
        review.settings_file.settings.seg_model
        == review.page.settings.form.value.seg_model
        == folder
    )
    assert load_settings().seg_model == folder
    assert in_use.UseHistory(models_folder() / "in-use-history.json").references() == [
        before,
        folder,
    ]
    assert "seg" not in panel.results
    assert panel.form.isVisible()
    assert FinetuningJob.unfinished_or_unread() is None


def test_what_was_analysed_before_is_stale_then(review, qtbot, trainer):
    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    assert not review.page.stale.isVisible()
    used = review.presenter.session.analysis.setup.seg_model.id
    learnt(review, qtbot).results["seg"].use.click()
    stale = review.page.stale
    qtbot.waitUntil(stale.isVisible, timeout=30 * SECONDS)
    assert stale.message.text() == f"Made with {used}; other models are chosen now"
    assert not review.page.analysis.analyse.isVisible()
    stale.analyse.click()
    qtbot.waitUntil(lambda: not stale.isVisible(), timeout=120 * SECONDS)
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    assert review.presenter.session.analysis.setup.seg_model.id != used
    assert not stale.isVisible()
    assert review.page.analysis.analyse.isVisible()


def test_a_worse_model_is_used_only_knowingly(review, qtbot, trainer):
    trainer("--worse")
    result = learnt(review, qtbot).results["seg"]
    assert result.verdict.text().startswith("Worse on the hold-out: Dice 0.84 → 0.71")
    assert not result.use.isEnabled()
    assert "tick" in result.use.toolTip()
    result.although_worse.click()
    result.use.click()
    assert review.settings_file.settings.seg_model == str(result.report.folder)


def test_without_a_hold_out_it_says_so(review, qtbot, trainer):
    trainer("--no-hold-out")
    result = learnt(review, qtbot, "cls").results["cls"]
    assert result.verdict.text() == (
        "Not judged: no hold-out, too few frames; A little worse on the reference set: "
        "F1 0.93 → 0.92, which may be chance"
    )
    assert result.use.isEnabled()
    assert "Hold-out" not in result.table.text()


def test_each_of_two_models_is_decided_on(review, qtbot, trainer):
    panel = learnt(review, qtbot, "both")
    assert list(panel.results) == ["cls", "seg"]
    folders = {task: result.report.folder for task, result in panel.results.items()}
    panel.results["cls"].discard.click()
    assert not folders["cls"].exists()
    assert list(panel.results) == ["seg"]
    assert "deleted" in panel.message.text()
    panel.results["seg"].keep.click()
    assert folders["seg"].is_dir()
    assert "is in the list of models" in panel.message.text()
    review.show_models()
    qtbot.waitUntil(lambda: review.models.seen is not None, timeout=60 * SECONDS)
    assert str(folders["seg"]) in [row.reference for row in review.models.seen.models]
    assert folders["seg"].name in panel.message.text()
    assert panel.form.isVisible()
    assert review.settings_file.settings.seg_model != str(folders["seg"])


def test_a_frame_that_changed_is_gone_to(review, qtbot, trainer, phantom):
    trainer("--sweep", phantom.sweep.identity)
    panel = learnt(review, qtbot)
    tree = panel.results["seg"].frames
    better, worse = tree.topLevelItem(0), tree.topLevelItem(1)
    assert better.text(0) == "2 frames got better"
    assert better.child(0).text(1) == "0.40 → 0.90"
    tree.itemClicked.emit(better.child(0), 0)
    assert review.presenter.view.navigator.frame == 12
    tree.itemClicked.emit(worse.child(0), 0)
    assert review.presenter.view.navigator.frame == 12
    assert "another sweep: ffffffff" in panel.message.text()


def test_a_window_opened_later_finds_the_training(window, show, tiny_settings, qtbot, trainer):
    trainer("--until-stopped", "--pause", "0.02")
    first = window()
    start(first, qtbot)
    job = first.finetuning.job
    first.viewer.window.remove_dock_widget(first)
    assert job.running
    second = window()
    panel = second.page.finetuning
    assert panel.isExpanded()
    assert second.finetuning.job.folder == job.folder
    qtbot.waitUntil(lambda: panel.monitor.curves.drawn[0] > 0, timeout=60 * SECONDS)
    second.viewer.window.remove_dock_widget(second)
    job.stop()
    qtbot.waitUntil(lambda: not job.running, timeout=60 * SECONDS)
    third = window()
    assert third.page.finetuning.results["seg"].use.isEnabled()
    third.page.finetuning.results["seg"].keep.click()
    fourth = window()
    assert fourth.finetuning.job is None
    assert fourth.page.finetuning.form.isVisibleTo(fourth.page.finetuning)  # for the next one


def test_closing_while_a_model_learns_says_what_becomes_of_it(closable, qtbot, trainer):
    trainer("--until-stopped", "--pause", "0.02")
    panel, window = start(closable, qtbot), main_window(closable.viewer)
    job, going_on = closable.finetuning.job, closable.close_guard.going_on
    qtbot.waitUntil(lambda: panel.monitor.bar.value() > 0, timeout=60 * SECONDS)

    def answer(words):
        assert window.isVisible()
        (button,) = [one for one in going_on.question.buttons() if one.text() == words]
        assert button.toolTip()
        button.click()

    window.close()
    said = going_on.question.text()
    assert "A model is learning. It goes on without the window" in said
    assert "the next start of the window shows it" in said
    answer("Stay")
    assert going_on.question is None
    job.stop()
    closable.viewer.close()  # by a script: asked, too, while the layers are there
    assert "It ends early, as you asked" in going_on.question.text()
    assert len(closable.viewer.layers)
    answer("Close")
    assert not window.isVisible()
    assert closable._closed


def test_a_training_that_died_is_reported_once(review, qtbot, trainer):
    trainer("--die")
    panel = start(review, qtbot)
    qtbot.waitUntil(lambda: bool(panel.message.text()), timeout=60 * SECONDS)
    assert panel.form.isVisible()
    assert "ended without a result" in panel.message.text()
    assert FinetuningJob.unfinished_or_unread() is None


def by_tab(panel):
    """Walk from the head of the section through all that Tab reaches."""
    panel.toggleButton().setFocus(Qt.FocusReason.TabFocusReason)
    reached = []
    for _ in range(12):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        reached.append(QApplication.focusWidget())
    return set(reached)


def test_everything_is_reached_and_pressed_by_keyboard(review, qtbot, trainer, press):
    """Space shows the overlay, and Enter accepts, but for a control that Tab reached."""
    panel = unfold(review, qtbot)
    press(review, Qt.Key.Key_Escape)
    form = panel.form
    choices = [control.native for control in form.choices.controls.values()]
    assert {*choices, form.start, form.refresh} <= by_tab(panel)
    form.start.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(panel.form.start, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: bool(panel.results), timeout=60 * SECONDS)
    result = panel.results["cls"]
    assert {result.frames, result.use, result.keep, result.discard} <= by_tab(panel)
    result.keep.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(result.keep, Qt.Key.Key_Return)
    QTest.keyClick(result.keep, Qt.Key.Key_Space)
    assert "cls" not in panel.results


def test_nothing_is_wider_than_the_narrowest_panel(review, qtbot, trainer):
    trainer("--worse")
    scroll = review.page.scroll_area

    def cut_off():
        room = review.minimumSizeHint().width() - scroll.verticalScrollBar().sizeHint().width()
        return scroll.widget().minimumSizeHint().width() - room

    unfold(review, qtbot)
    assert cut_off() <= 0
    learnt(review, qtbot, "both")
    QApplication.processEvents()
    assert cut_off() <= 0
    assert review.minimumSizeHint().width() <= 360  # the frame has the rest


def test_every_control_says_what_it_does(review, qtbot, trainer):
    trainer("--worse")
    panel = learnt(review, qtbot, "both")
    choices = [control.native for control in panel.form.choices.controls.values()]
    controls = [*panel.findChildren(QPushButton), *choices]
    assert [control.text() for control in panel.findChildren(QPushButton)]
    without = [c for c in controls if isinstance(c, QWidget) and not c.toolTip()]
    assert without == []


def test_the_record_of_a_training_names_no_sweep(review, qtbot, trainer, phantom):
    start(review, qtbot)
    record = (review.finetuning.job.folder / "job.json").read_text()
    assert phantom.sweep.name not in json.loads(record)["command"]
    assert phantom.sweep.identity not in record
