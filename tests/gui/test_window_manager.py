"""Closing as a window manager brings it; skipped where there is none."""

import importlib.util
from pathlib import Path

import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.widgets.viewer.compat import main_window

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("window_manager")]

SECONDS = 1000

spec = importlib.util.spec_from_file_location("x11", Path(__file__).with_name("x11.py"))
x11 = importlib.util.module_from_spec(spec)
spec.loader.exec_module(x11)


def click_x(window) -> None:
    x11.ask_window_manager(int(window.winId()), "_NET_CLOSE_WINDOW")


def test_the_x_of_the_window_is_held_once_while_something_is_unsaved(closable, qtbot):
    window = main_window(closable.viewer)
    closable.keeper.store._connection.execute("PRAGMA query_only = ON")
    closable.presenter.actions.label_optimal()
    click_x(window)
    qtbot.waitUntil(lambda: closable.close_guard.question is not None, timeout=20 * SECONDS)
    assert window.isVisible()
    assert not closable._closed
    closable.keeper.store._connection.execute("PRAGMA query_only = OFF")
    (again,) = [one for one in closable.close_guard.question.buttons() if "again" in one.text()]
    again.click()
    qtbot.waitUntil(lambda: closable._closed, timeout=20 * SECONDS)
    with CorrectionStore(paths.default_store()) as on_disk:
        assert [event.label for event in on_disk.events()] == [Label.OPTIMAL]
