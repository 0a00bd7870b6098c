"""Nothing false is said of an analysed sweep while its analysis is fetched."""

import threading

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QLabel

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef
from napari_fetal_iqa.geometry.mask_codec import encode_mask
from napari_fetal_iqa.widgets.background import tasks

pytestmark = pytest.mark.gui

SECONDS = 1000
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality"),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)
FALSE = ("not measured", "No best", "<b>0</b> to", "Loading", "not computed", "No candidates")
FALSE += ("Not analysed",)


@pytest.fixture
def kept(phantom, analyser, monkeypatch):
    """An analysis that is kept of the phantom; its event lets it be read."""
    frames = np.arange(len(phantom.sweep))
    rows, columns = np.ogrid[: phantom.sweep.shape[1], : phantom.sweep.shape[2]]
    height, width = phantom.sweep.shape[1:]
    outline = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 <= (height / 4) ** 2
    found = frames % 10 == 0
    analysis = Analysis(phantom.sweep, SETUP)
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
    may_read = threading.Event()

    def begin(*_, **__):
        may_read.wait(60)
        return analysis, iter(())

    monkeypatch.setattr(tasks, "begin_analysis", begin)
    monkeypatch.setattr(analyser, "load", lambda *models: None)
    yield may_read
    may_read.set()


def words(widget) -> str:
    labels = widget.page.findChildren(QLabel) + widget.candidates.strip.findChildren(QLabel)
    return "\n".join([widget.page.frame.quality.text, *(label.text() for label in labels)])


def test_until_the_analysis_is_there_nothing_false_is_said(
    window, show, tiny_settings, phantom, kept, qtbot
):
    widget = window()
    on_open = tiny_settings.model_copy(update={"analyse_on_open": True})
    widget.settings_file.settings = on_open
    show(widget, phantom.sweep)
    widget.page.candidates.click()
    presenter = widget.presenter
    presenter.actions.go(20)
    presenter._show_still()
    presenter.idle_queue.now()
    widget.candidates._show_now()
    QApplication.processEvents()
    assert [false for false in FALSE if false in words(widget)] == []
    assert "Opening" in widget.page.analysis.doing.text()
    said = []
    presenter.found.connect(lambda: said.append(words(widget)))
    kept.set()
    qtbot.waitUntil(lambda: bool(said), timeout=20 * SECONDS)
    # at once, and not when the frames have been painted in turns
    assert "Quality 0.90" in said[0]
    assert "mm, " in widget.page.frame.diameters.text()
    assert "Best frame <b>" in said[0]
    qtbot.waitUntil(lambda: "Analysed" in widget.page.analysis.doing.text(), timeout=20 * SECONDS)
    assert [false for false in FALSE if false in words(widget)] == []


def test_without_one_it_is_said_that_models_are_loaded(review, analyser, monkeypatch, qtbot):
    may_end = threading.Event()

    def load(*models):
        may_end.wait(60)
        raise AssertionError("the test has ended")

    monkeypatch.setattr(analyser, "load", load)
    review.presenter.analyse()
    doing = review.page.analysis.doing
    qtbot.waitUntil(lambda: doing.text() == "Loading the models…", timeout=20 * SECONDS)
    assert review.page.best.text() == "No best frame yet"
    assert review.page.frame.diameters.text() == "not measured: no outline"
    review.runner.cancel()
    may_end.set()
