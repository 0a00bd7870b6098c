"""The demo's window: napari with the review widget and the phantom."""

from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import QTimer, SignalInstance

from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.widgets.review import PLUGIN, ReviewWidget

_SETTLE_MS = 500
SCREENSHOT_SIZE = (1600, 900)


def show_demo(screenshot: Path | None, say: Callable[[str], None]) -> None:
    """Open the window, analyse the phantom, and stay; or take a picture and close.

    Parameters
    ----------
    screenshot : Path, optional
    say : callable
        Told in a few words what happens.

    Raises
    ------
    FetalIqaError
        Where a picture was asked for and the analysis failed.
    """
    viewer = napari.Viewer(title="Fetal IQA demo")
    viewer.window.resize(*SCREENSHOT_SIZE)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN)
    assert isinstance(widget, ReviewWidget)
    _once(widget.runner.results, lambda: say("First score on screen"))
    trouble: list[str] = []
    if screenshot is not None:
        widget.runner.failed.connect(trouble.append)
        widget.runner.ended.connect(lambda _: _finish(viewer, widget, screenshot))
    widget.open_phantom()
    napari.run()
    if trouble:
        raise FetalIqaError(trouble[0])


def _once(signal: SignalInstance, do: Callable[[], None]) -> None:
    def first(*_: object) -> None:
        signal.disconnect(first)
        do()

    signal.connect(first)


def _finish(viewer: napari.Viewer, widget: ReviewWidget, screenshot: Path) -> None:
    """Go to the best frame and take the picture once it is drawn."""
    widget.review_actions.go_best()

    def picture() -> None:
        screenshot.parent.mkdir(parents=True, exist_ok=True)
        viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
        viewer.close()

    QTimer.singleShot(_SETTLE_MS, picture)
