"""What waits for what: reading never for models, and an analysis that is ended loses nothing."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool

from napari_fetal_iqa.analysis import cache
from napari_fetal_iqa.contributions.layers import sweep_layer

pytestmark = pytest.mark.gui

SECONDS = 1000


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


def test_what_was_computed_stays_when_an_analysis_is_cancelled(
    review, qtbot, phantom, analyser, monkeypatch
):
    run, cancelled = analyser.run, threading.Event()

    def run_until_cancelled(sweep, queue):
        results = run(sweep, queue)
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
