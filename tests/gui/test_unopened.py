"""A file that cannot be opened says so in the panel, however it was chosen; no traceback."""

import os
import subprocess
import sys

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QPushButton

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import write_volume

SECONDS = 1000


@pytest.fixture
def prefer_ours(monkeypatch):
    """As after somebody chose our reader once and had napari remember it."""
    from napari.settings import get_settings

    monkeypatch.setattr(get_settings().plugins, "extension2reader", {"*.mha": "napari-fetal-iqa"})


@pytest.fixture
def drop():
    """Drop files on napari's window as a file manager does."""

    def drop(widget, *paths):
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        event = QDropEvent(
            QPointF(9, 9),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        widget.viewer.window._qt_viewer.dropEvent(event)

    return drop


def told(widget):
    """What the panel says is wrong, on the page that is shown."""
    boxes = (widget.welcome.error, widget.page.analysis.error_box)
    return [box.text() for box in boxes if box.isVisible()]


def junk(folder, name="case.mha"):
    path = folder / name
    path.write_bytes(b"junk")
    return path


def by_menu(widget, path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "exec_", lambda *_: True, raising=False)
    monkeypatch.setattr(QFileDialog, "exec", lambda *_: True, raising=False)
    monkeypatch.setattr(QFileDialog, "selectedFiles", lambda *_: [str(path)])
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([str(path)], ""))
    widget.viewer.window._qt_viewer._open_files_dialog()


def by_button(widget, path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(path), ""))
    buttons = [b for b in widget.welcome.findChildren(QPushButton) if "sweep" in b.text()]
    buttons[0].click()


def test_drop_menu_and_button_say_the_same(
    window, tiny_settings, drop, prefer_ours, qtbot, tmp_path, monkeypatch
):
    widget = window()
    path = junk(tmp_path)
    notes = len(notification_manager.records)
    ways = (
        lambda: drop(widget, path),
        lambda: by_menu(widget, path, monkeypatch),
        lambda: by_button(widget, path, monkeypatch),
    )
    said = []
    for open_it in ways:
        open_it()
        qtbot.waitUntil(lambda: bool(told(widget)), timeout=20 * SECONDS)
        said += told(widget)
        widget.welcome.error.copy.click()
        assert QApplication.clipboard().text() == said[-1]
        widget.welcome.error.dismiss.click()
        assert told(widget) == []
    assert len(set(said)) == 1
    assert said[0].startswith("case.mha: expected")
    assert len(notification_manager.records) == notes  # no traceback, no dialog
    assert not widget.viewer.layers


def test_what_is_no_sweep_and_what_is_gone_says_so_too(
    window, show, phantom, tiny_settings, drop, qtbot, tmp_path
):
    widget = window()
    show(widget, phantom.sweep)
    notes = len(notification_manager.records)
    (tmp_path / "report.txt").write_text("hello")
    drop(widget, tmp_path / "report.txt")
    (said,) = told(widget)
    assert said.startswith(f"{tmp_path}/report.txt: no file that can be opened here; choose")
    (tmp_path / "cls-7f3a.zip").write_bytes(b"PK")
    drop(widget, tmp_path / "cls-7f3a.zip")
    assert "a model is added by Models…" in told(widget)[0]
    drop(widget, tmp_path / "gone.mha")
    (said,) = told(widget)
    assert "there is no such file" in said
    assert len(notification_manager.records) == notes
    assert widget.presenter is not None  # the sweep stays
    qtbot.waitUntil(
        lambda: not widget.page.analysis.error_box.visibleRegion().isEmpty(),
        timeout=20 * SECONDS,
    )


def test_of_two_files_the_sound_one_opens_and_the_other_is_named(
    window, tiny_settings, drop, prefer_ours, qtbot, tmp_path
):
    widget = window()
    sound = write_volume(tmp_path / "sound.mha", np.full((3, 20, 30), 9, np.uint8), (0.5, 0.5))
    drop(widget, junk(tmp_path, "bad.mha"), sound)
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    (said,) = told(widget)
    assert said.startswith("bad.mha: expected")


def test_a_long_name_widens_no_panel(window, tiny_settings, drop, prefer_ours, tmp_path):
    widget = window()
    before = widget.minimumSizeHint().width()
    drop(widget, junk(tmp_path, f"{'patient' * 30}.mha"))
    assert told(widget)
    assert widget.welcome.error.minimumSizeHint().width() <= max(before, 330)


def test_a_script_gets_the_error(window, tiny_settings, tmp_path):
    widget = window()
    with pytest.raises(SweepError, match="expected"):
        widget.viewer.open(junk(tmp_path), plugin="napari-fetal-iqa")
    assert told(widget) == []


def test_the_window_is_left_as_it_was(window, tiny_settings):
    widget = window()
    qt_viewer = widget.viewer.window._qt_viewer
    assert "_qt_open" in vars(qt_viewer)
    widget.shut_down()
    assert "_qt_open" not in vars(qt_viewer)


COMMAND_LINE = """
import os, sys
from qtpy.QtCore import QTimer
import napari.__main__ as command
from napari.settings import get_settings

get_settings().plugins.extension2reader = {"*.mha": "napari-fetal-iqa"}
build = command._build_viewer

def look(viewer, tries):
    docks = viewer.window.dock_widgets.values()
    said = [dock.welcome.error.text() for dock in docks if hasattr(dock, "welcome")]
    from napari.utils.notifications import notification_manager
    notes = [note.message for note in notification_manager.records]
    if any(said) or notes or not tries:
        print("PANEL", said, "NOTES", notes, flush=True)
        if not any(said):  # as from the menu, after the note has gone
            _, late = viewer.window.add_plugin_dock_widget("napari-fetal-iqa")
            print("LATER", late.welcome.error.text(), flush=True)
        os._exit(0)
    QTimer.singleShot(200, lambda: look(viewer, tries - 1))

def built():
    viewer = build()
    QTimer.singleShot(0, lambda: look(viewer, 50))
    return viewer

command._build_viewer = built
sys.argv[0] = "napari"
command.main()
"""


@pytest.mark.parametrize("widget", [True, False])
def test_the_command_line_says_it_in_the_panel_now_or_when_it_is_opened(tmp_path, widget):
    path = junk(tmp_path)
    arguments = [str(path), *(["-w", "napari-fetal-iqa"] if widget else [])]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND_LINE, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "FETAL_IQA_HOME": str(tmp_path / "home"),
            "NAPARI_CONFIG": str(tmp_path / "settings.yaml"),
        },
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "PANEL " in done.stdout, done.stderr
    said, _, later = done.stdout.split("PANEL ")[1].partition("LATER ")
    panel, notes = said.split(" NOTES ")
    assert ("case.mha: expected" in panel) == widget
    assert ("case.mha: expected" in notes) != widget
    assert ("case.mha: expected" in later) != widget
