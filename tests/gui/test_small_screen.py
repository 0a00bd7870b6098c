"""A screen that is smaller than what napari and the review would like to have."""

from collections.abc import Callable

import pytest
from qtpy.QtCore import QPoint, QRect, QSize, Qt
from qtpy.QtWidgets import QApplication, QMainWindow, QPushButton

from napari_fetal_iqa.widgets import small_screen
from napari_fetal_iqa.widgets.viewer.compat import main_window, napari_docks

pytestmark = pytest.mark.gui

SECONDS = 1000


@pytest.fixture
def laptop(monkeypatch) -> Callable[[QMainWindow], QRect]:
    """A screen of 1920 x 1080 at scale factor 2: 520 pixels high, and what a frame takes."""

    def room(window):
        frame = window.frameGeometry().size() - window.geometry().size()
        return QRect(QPoint(0, 0), QSize(960, 520) + frame)

    monkeypatch.setattr(small_screen, "available", room)
    return room


def test_layer_controls_that_ask_for_much_leave_the_window_on_the_screen(
    review, monkeypatch, qtbot
):
    whole = main_window(review.viewer)
    layers, controls = napari_docks(review.viewer)
    room = QRect(QPoint(0, 0), QSize(1280, 772))
    monkeypatch.setattr(small_screen, "available", lambda window: room)
    controls.setMinimumHeight(560)  # as those of another plugin's layer
    qtbot.waitUntil(lambda: room.contains(whole.frameGeometry()), timeout=20 * SECONDS)
    assert controls in whole.tabifiedDockWidgets(layers) or controls.isHidden()


def is_seen(control, window) -> bool:
    region = control.visibleRegion().boundingRect()
    place = QRect(control.mapTo(window, QPoint()), control.size())
    return region.size() == control.size() and window.rect().contains(place)


def test_on_a_low_screen_the_review_stays_in_front_of_the_worklist(
    window, laptop, show, phantom, tiny_settings, qtbot
):
    widget = window()
    show(widget, phantom.sweep)
    whole = main_window(widget.viewer)
    # it was 1280 x 800, and is no larger than the screen once its docks are there
    qtbot.waitUntil(lambda: laptop(whole).contains(whole.frameGeometry()), timeout=20 * SECONDS)
    assert not widget.page.worklist.isChecked()
    widget.page.worklist.click()
    qtbot.waitUntil(widget.worklist.dock.dock.isVisible, timeout=20 * SECONDS)
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    qtbot.waitUntil(lambda: laptop(whole).contains(whole.frameGeometry()), timeout=20 * SECONDS)
    QApplication.processEvents()
    assert whole.dockWidgetArea(widget.worklist.dock.dock) == left
    assert widget.worklist.dock.dock not in whole.tabifiedDockWidgets(widget._dock)
    page = widget.page
    daily = [*page.frame.findChildren(QPushButton), page.best, page.waiting, page.saved]
    daily += [page.footer.worklist, page.open]
    for text in ("Go  B", "Next  N"):
        daily += [one for one in page.findChildren(QPushButton) if one.text() == text]
    assert [one for one in daily if not is_seen(one, whole)] == []


def test_a_window_that_grew_for_its_docks_is_brought_back_onto_the_screen(
    window, tiny_settings, qtbot
):
    widget = window()
    whole = main_window(widget.viewer)
    room = small_screen.available(whole)
    whole.resize(room.width() + 300, room.height() + 200)
    whole.move(room.left() + 90, room.top() + 90)
    qtbot.waitUntil(lambda: whole.width() > room.width(), timeout=20 * SECONDS)
    widget.timeline_dock.show()
    qtbot.waitUntil(lambda: room.contains(whole.frameGeometry()), timeout=20 * SECONDS)
