"""The demo's window: napari with the review widget and the phantom."""

from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtCore import QTimer

from napari_fetal_iqa.analysis import RemoteAnalyser
from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.settings import Settings, suggested_reviewer
from napari_fetal_iqa.widgets.review import ReviewWidget
from napari_fetal_iqa.widgets.shortcuts import Action

_SETTLE_MS = 500
SCREENSHOT_SIZE = (1600, 900)


def show_demo(
    screenshot: Path | None, say: Callable[[str], None], analyser: RemoteAnalyser | None = None
) -> None:
    """Open the window, analyse the phantom, and stay; or take a picture and close.

    Parameters
    ----------
    screenshot : Path, optional
    say : callable
        Told in a few words what happens.
    analyser : RemoteAnalyser, optional
        One whose process is starting already.

    Raises
    ------
    FetalIqaError
        Where a picture was requested and the analysis failed.
    """
    viewer = napari.Viewer(title="Fetal IQA demo")
    viewer.window.resize(*SCREENSHOT_SIZE)
    store = CorrectionStore(paths.cache() / "demo-corrections.sqlite")
    widget = ReviewWidget(viewer, store, analyser, settings=_settings())
    viewer.window.add_dock_widget(widget, name="Fetal IQA review", area="right")
    tell = _Once(lambda: say("First score on screen"))
    widget.runner.results.connect(lambda _: tell())
    widget.runner.started.connect(lambda analysis: tell() if analysis.complete else None)
    problems: list[str] = []

    def give_up(message: str) -> None:
        problems.append(message)
        viewer.close()

    if screenshot is not None:
        widget.error_occurred.connect(give_up)
        widget.runner.ended.connect(
            lambda complete: _finish(viewer, widget, screenshot) if complete else None
        )
    say("Opening the phantom")
    widget.open_phantom()
    napari.run()
    if problems:
        raise FetalIqaError(problems[0])


def _settings() -> Settings:
    return Settings(reviewer=suggested_reviewer(), cls_model="demo-cls", seg_model="demo-seg")


class _Once:
    """Does something at the first call."""

    def __init__(self, do: Callable[[], None]) -> None:
        self._do: Callable[[], None] | None = do

    def __call__(self) -> None:
        do, self._do = self._do, None
        if do is not None:
            do()


def _finish(viewer: napari.Viewer, widget: ReviewWidget, screenshot: Path) -> None:
    """Go to the best frame and take the picture once it is drawn."""
    widget.do(Action.GO_BEST)

    def picture() -> None:
        if not widget.caption.settled:
            QTimer.singleShot(_SETTLE_MS, picture)
            return
        screenshot.parent.mkdir(parents=True, exist_ok=True)
        viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
        viewer.close()

    QTimer.singleShot(_SETTLE_MS, picture)
