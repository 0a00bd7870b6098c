"""What waits for what: reading never for models, and an analysis that is ended loses nothing."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool

from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, FrameResults, ModelRef, cache
from napari_fetal_iqa.contributions.layers import sweep_layer
from napari_fetal_iqa.geometry.mask_codec import encode_mask

pytestmark = pytest.mark.gui

SECONDS = 1000
SETUP = AnalysisSetup(
    ModelRef(id="cls-0000", hash="0" * 64, name="quality"),
    ModelRef(id="seg-1111", hash="1" * 64, name="outline"),
)


@pytest.fixture
def stuck_models(analyser, monkeypatch):
    """Models that load until the test ends."""
    may_end = threading.Event()
    begun = []

    def load(*models):
        begun.append(models)
        may_end.wait(60)
        raise AssertionError("the test has ended")

    monkeypatch.setattr(analyser, "load", load)
    yield begun
    may_end.set()
    QThreadPool.globalInstance().waitForDone()


def test_a_sweep_is_read_while_models_load_and_they_load_once(
    window, tiny_settings, phantom, stuck_models, qtbot
):
    widget = window()
    settings = tiny_settings.model_copy(update={"analyse_on_open": True})
    widget.settings_file.settings = settings
    for _ in range(3):
        widget.runner.load(settings)
    data, attributes, _ = sweep_layer(phantom.sweep)
    widget.viewer.add_image(data, **attributes)
    qtbot.waitUntil(lambda: widget.presenter is not None, timeout=20 * SECONDS)
    qtbot.waitUntil(lambda: len(stuck_models) == 2, timeout=20 * SECONDS)  # one load, one analysis
    widget.runner.cancel()


def test_the_engine_of_the_settings_computes_in_their_precision(review, stuck_models, qtbot):
    review.page.settings.form.set_field("engine", "openvino")
    review.page.settings.form.set_field("precision", "float32")
    review.presenter.analyse()
    qtbot.waitUntil(lambda: len(stuck_models) > 0, timeout=20 * SECONDS)
    assert stuck_models[-1][2:] == ("auto", "openvino", "float32")
    review.runner.cancel()


def test_what_was_computed_stays_when_an_analysis_is_cancelled(
    review, qtbot, phantom, analyser, monkeypatch
):
    run, cancelled = analyser.run, threading.Event()

    def run_until_cancelled(sweep, queue, by):
        results = run(sweep, queue, by)
        yield next(results)
        cancelled.wait(60)
        yield from results

    monkeypatch.setattr(analyser, "run", run_until_cancelled)
    session = review.presenter.session
    review.presenter.analyse()
    qtbot.waitUntil(
        lambda: session.analysis is not None and session.analysis.computed.any(),
        timeout=120 * SECONDS,
    )
    review.runner.cancel()
    cancelled.set()
    first = session.analysis
    done = first.computed.copy()
    assert not done.all()
    assert f"Stopped after {done.sum()}" in review.page.analysis.doing.text()
    review.presenter.idle_queue.now()
    assert np.array_equal(review.timeline._data.computed, done)
    qtbot.waitUntil(
        lambda: cache.load_partial(phantom.sweep, first.setup) is not None, timeout=20 * SECONDS
    )
    assert np.array_equal(cache.load_partial(phantom.sweep, first.setup).computed, done)

    review.presenter.analyse()
    qtbot.waitUntil(lambda: not review.runner.running, timeout=120 * SECONDS)
    assert session.analysis.complete
    assert np.array_equal(session.analysis.quality[done], first.quality[done])


def test_what_was_computed_is_on_the_disk_once_the_window_is_closed(review, phantom):
    analysis = Analysis(phantom.sweep, SETUP)
    review.presenter._analysis_started(analysis)
    height, width = phantom.sweep.shape[1:]
    review.presenter._results_came(
        FrameResults(
            frames=np.array([3, 4]),
            quality=np.array([0.9, 0.1], np.float32),
            area_fraction=np.array([0.2, 0.0], np.float32),
            masks=(encode_mask(np.ones((height, width), bool)),) * 2,
            ac_mm=np.array([200.0, np.nan]),
            non_black=np.ones(2, bool),
            seconds={},
        )
    )
    review.runner._worker = SimpleNamespace(quit=lambda: None)  # in the middle of it
    review.shut_down()
    kept = cache.load_partial(phantom.sweep, SETUP)
    assert kept is not None
    assert np.flatnonzero(kept.computed).tolist() == [3, 4]
