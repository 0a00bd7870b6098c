"""Models without a terminal: seen, used, sent, received and deleted in the window."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton

from fetal_iqa_models.cards import model_hash, model_id
from napari_fetal_iqa.model_library.packing import pack_model
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import AUTOMATIC, Settings, load_settings, save_settings

SECONDS = 1000


@pytest.fixture
def dialog(window, qtbot):
    """The dialog as the button in the panel opens it, with its first list."""
    save_settings(Settings(reviewer="AK", analyse_on_open=False))
    widget = window()
    widget.page.settings.choose.click()
    shown = widget.models
    qtbot.waitUntil(lambda: shown.seen is not None, timeout=60 * SECONDS)
    yield shown
    shown.runner.close()


def row_of(dialog, name):
    """Choose the row of a model or an encoder by the text in its second column."""
    table = dialog.tabs.currentWidget().table
    rows = [table.topLevelItem(place) for place in range(table.topLevelItemCount())]
    (place,) = [place for place, row in enumerate(rows) if row.text(1) == name]
    table.choose(place)
    return rows[place]


def names(dialog):
    table = dialog.tabs.currentWidget().table
    return [table.topLevelItem(place).text(1) for place in range(table.topLevelItemCount())]


def ended(dialog, qtbot):
    """Wait until the command has ended and the list was looked at again."""
    before = dialog.seen
    qtbot.waitUntil(lambda: not dialog.runner.running, timeout=120 * SECONDS)
    qtbot.waitUntil(lambda: dialog.seen is not before, timeout=60 * SECONDS)


def drop(dialog, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    dialog.dropEvent(
        QDropEvent(
            QPointF(9, 9),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )


@pytest.mark.timeout(600)
def test_a_model_arrives_by_drop_is_used_and_given_back(
    dialog, tiny_models, qtbot, tmp_path, monkeypatch
):
    assert "torch" not in sys.modules
    name = model_id("cls", model_hash(tiny_models["cls"]))
    drop(dialog, pack_model(tiny_models["cls"], tmp_path / "sent.zip"))
    assert dialog.job.cancel.isVisible()
    ended(dialog, qtbot)
    assert "added" in dialog.job.message.text()
    assert "licence unknown" in dialog.job.message.text()

    row = row_of(dialog, name)
    assert row.text(0) == ""
    assert "made from:" in dialog.library.details.toPlainText()
    dialog.library.use.click()
    ended(dialog, qtbot)
    kept = str(paths.models() / f"cls-{model_hash(tiny_models['cls'])[:12]}")
    assert load_settings().cls_model == kept
    page = dialog.parent().page
    assert dialog.parent().settings_file.settings.cls_model == kept
    assert page.settings.models["cls_model"].text() == Path(kept).name
    assert row_of(dialog, name).text(0) == "in use"
    assert not dialog.library.use.isEnabled()
    assert "in use" in dialog.library.delete.toolTip()

    dialog.library.back.click()
    ended(dialog, qtbot)
    assert load_settings().cls_model == AUTOMATIC
    assert dialog.parent().settings_file.settings.cls_model == AUTOMATIC
    assert "torch" not in sys.modules

    row_of(dialog, name)
    yes, asked = QMessageBox.StandardButton.Yes, []
    monkeypatch.setattr(QMessageBox, "question", lambda *given: asked.append(given[2]) or yes)
    assert dialog._agreed("Delete <b>mine</b>?")
    assert asked == ["<p>Delete &lt;b&gt;mine&lt;/b&gt;?</p>"]  # a name is no HTML
    dialog.library.delete.click()
    ended(dialog, qtbot)
    assert name not in names(dialog)
    assert not Path(kept).exists()


def places(dialog):
    tab = dialog.tabs.currentWidget()
    return [button.mapTo(dialog, QPoint()) for button in tab.findChildren(QPushButton)]


@pytest.mark.timeout(600)
def test_use_none_and_back_in_plain_words_and_nothing_moves(dialog, qtbot):
    row_of(dialog, "demo-cls" if "demo-cls" in names(dialog) else names(dialog)[0])
    library, settings = dialog.library, dialog.parent().settings_file
    before, size = places(dialog), dialog.size()
    said = []
    dialog.runner.ended.connect(lambda _, words: said.append(words))

    def in_use():
        mark = library.table.currentItem().text(0) == "for phantoms"
        line = next(
            line
            for line in library.details.toPlainText().splitlines()
            if line.startswith("in use:")
        )
        assert line.endswith("yes, automatic: for phantoms" if mark else "no")
        assert library.chosen.in_use is mark
        return mark

    assert in_use()
    library.none.click()
    assert places(dialog) == before
    ended(dialog, qtbot)
    assert settings.settings.cls_model == load_settings().cls_model == ""
    assert not in_use()
    library.back.click()
    ended(dialog, qtbot)
    assert settings.settings.cls_model == load_settings().cls_model == AUTOMATIC
    assert in_use()
    library.back.click()  # nothing was before: refused
    ended(dialog, qtbot)
    assert dialog.job.error.isVisible()
    assert dialog.job.error.dismiss.isVisible()
    assert (places(dialog), dialog.size()) == (before, size)
    assert len(said) == 3
    assert not re.search(r"napari-fetal-iqa|--|reopen|\bcls\b:", "\n".join(said))
    dialog.job.end(False, "a long reason, " * 60)
    dialog.layout().activate()
    assert (places(dialog), dialog.size()) == (before, size)
    for button in (*dialog.findChildren(QPushButton),):
        assert not button.autoDefault(), button.text()
    library.table.setFocus()
    qtbot.keyClick(library.table, Qt.Key.Key_Return)
    assert not dialog.runner.running


@pytest.mark.timeout(600)
def test_a_wrong_model_is_refused_when_it_is_chosen(dialog, tiny_models, qtbot):
    folder = paths.models() / "spoilt"
    shutil.copytree(tiny_models["seg"], folder)
    card = folder / "model.json"
    content = json.loads(card.read_text())
    card.write_text(json.dumps({**content, "task": "cls", "name": "not what it says"}))
    elsewhere = {"name": "FetalCLIP_weights.pt", "sha256": "1" * 64}
    large = paths.models() / "large"
    shutil.copytree(tiny_models["cls"], large)
    (large / "model.json").write_text(json.dumps({**content, "encoder_weights": elsewhere}))
    row_of(dialog, "zero-shot")  # FetalCLIP's weights are not here
    assert not dialog.library.use.isEnabled()
    assert "in the tab of the pretrained weights" in dialog.library.use.toolTip()
    assert not dialog.library.delete.isEnabled()
    assert not dialog.library.pack.isEnabled()
    assert "kept nowhere yet" in dialog.library.pack.toolTip()
    row_of(dialog, model_id("cls", model_hash("sononet-cls")))
    assert dialog.library.pack.isEnabled()
    assert dialog.library.use.isEnabled()
    assert "Abdominal (the quality)" in dialog.library.details.toPlainText()

    dialog.refresh()
    new = {model_id("seg", model_hash(large)), model_id("cls", model_hash(folder))}
    qtbot.waitUntil(lambda: new <= set(names(dialog)), timeout=60 * SECONDS)

    row_of(dialog, model_id("seg", model_hash(large)))
    assert not dialog.library.use.isEnabled()  # said before anybody tries
    assert "import them first" in dialog.library.use.toolTip()
    row_of(dialog, model_id("cls", model_hash(folder)))
    dialog.library.use.click()
    ended(dialog, qtbot)
    assert "tensors are missing or foreign" in dialog.job.error.text()
    assert dialog.job.error.isVisible()
    assert load_settings().cls_model == AUTOMATIC


def fake(monkeypatch, script):
    """Run a script in place of the command, which gets the command's arguments."""
    monkeypatch.setattr(
        "napari_fetal_iqa.widgets.background.command_runner.command",
        lambda *arguments: [sys.executable, "-c", script, *arguments],
    )


def test_a_licence_is_accepted_before_weights_are_fetched(dialog, qtbot, monkeypatch):
    fake(
        monkeypatch,
        "import json, sys\n"
        "print(json.dumps({'done': 600_000_000, 'total': 1_800_000_000}), flush=True)\n"
        "sys.stdin.read()\n"
        "print(' '.join(sys.argv[1:]))\n",
    )
    dialog.tabs.setCurrentWidget(dialog.weights)
    row_of(dialog, "fetalclip")
    tab = dialog.weights
    assert "CC-BY-NC-4.0, for non-commercial use only" in tab.accept.text()
    assert "Licence: CC-BY-NC-4.0" in tab.details.text()
    assert not tab.fetch.isEnabled()
    tab.accept.click()
    tab.fetch.click()
    qtbot.waitUntil(lambda: "600 of 1800 MB" in dialog.job.message.text(), timeout=60 * SECONDS)
    assert dialog.job.bar.value() * 3 == pytest.approx(dialog.job.bar.maximum(), abs=3)
    dialog.runner._process.closeWriteChannel()
    qtbot.waitUntil(lambda: not dialog.runner.running, timeout=60 * SECONDS)
    said = "weights fetch fetalclip --json-progress --accept-licence"
    assert dialog.job.message.text() == said
    row_of(dialog, "densenet121")  # free: nothing to accept
    assert not tab.accept.isVisible()
    assert tab.fetch.isEnabled()
    row_of(dialog, "usfm")
    assert not tab.fetch.isEnabled()
    assert "drive.google.com" in tab.fetch.toolTip()


def test_a_cancelled_command_is_stopped_so_that_it_can_clear_up(
    dialog, qtbot, monkeypatch, tmp_path
):
    fake(
        monkeypatch,
        "import pathlib, sys, time\n"
        "try:\n"
        '    print(\'{"done": 1, "total": 9}\', flush=True)\n'
        "    time.sleep(600)\n"
        "except KeyboardInterrupt:\n"
        f"    pathlib.Path({str(tmp_path / 'cleared')!r}).touch()\n",
    )
    dialog.fetch("densenet121", False)
    qtbot.waitUntil(lambda: "MB" in dialog.job.message.text(), timeout=60 * SECONDS)
    dialog.job.cancel.click()
    assert dialog.job.message.text() == "Cancelled"
    assert not dialog.job.bar.isVisible()
    assert dialog.library.add_file.isEnabled()
    qtbot.waitUntil((tmp_path / "cleared").exists, timeout=60 * SECONDS)


def test_what_a_command_refuses_is_said_in_full(dialog, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(tmp_path), ""))
    fake(
        monkeypatch,
        "import sys\nprint('napari-fetal-iqa: x.zip: not a packed model', file=sys.stderr)\n"
        "sys.exit(1)",
    )
    dialog.library.add_file.click()
    ended(dialog, qtbot)
    assert dialog.job.error.text() == "x.zip: not a packed model"


def test_every_button_says_what_it_does_or_why_not(dialog):
    for tab in (dialog.library, dialog.weights):
        dialog.tabs.setCurrentWidget(tab)
        for place in range(tab.table.topLevelItemCount()):
            tab.table.choose(place)
            for button in tab.findChildren(QPushButton):
                assert button.toolTip(), button.text()


def test_another_analysts_settings_are_left_alone(make_napari_viewer, store, analyser, qtbot):
    from napari_fetal_iqa.widgets import ReviewWidget

    save_settings(Settings(reviewer="AK", cls_model="", analyse_on_open=False))
    viewer = make_napari_viewer(show=True)
    given = Settings(reviewer="demo", analyse_on_open=False)
    widget = ReviewWidget(viewer, store, analyser, given)
    viewer.window.add_dock_widget(widget, area="right")
    dialog = widget.models
    dialog.show()
    qtbot.waitUntil(lambda: dialog.seen is not None, timeout=60 * SECONDS)
    assert widget.settings_file.settings.cls_model == AUTOMATIC
    assert not dialog.library.automatic.isEnabled()
    dialog.library.table.choose(0)
    assert dialog.library.chosen.in_use
    dialog.library.none.click()
    assert widget.settings_file.settings.cls_model == ""
    dialog.library.use.click()
    qtbot.waitUntil(
        lambda: widget.settings_file.settings.cls_model == "demo-cls", timeout=60 * SECONDS
    )
    dialog.library.automatic.click()
    assert widget.settings_file.settings.cls_model == AUTOMATIC
    assert dialog.library.table.currentItem().text(0) == "for phantoms"
    assert load_settings().cls_model == ""
    widget.close()
