"""Opening sweeps in turn leaves nothing behind: no listeners, no objects, no layers, no threads."""

import gc
import threading
from collections import Counter
from contextlib import suppress

import pytest
from napari.utils.events import EventEmitter
from psygnal import SignalInstance
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QApplication

from napari_fetal_iqa.contributions.layers import sweep_layer
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.widgets.viewer.compat import main_window

pytestmark = pytest.mark.gui

SECONDS = 1000


SIGNAL = type(QObject.destroyed)


def is_ours(callback) -> bool:
    """Whether a callback of napari's events, a function or a weak reference, is of our package."""
    target = callback[0]() if isinstance(callback, tuple) else callback
    module = getattr(target, "__module__", None) or type(target).__module__
    return str(module).startswith("napari_fetal_iqa.")


def what_is_there(review) -> Counter:
    """Count what a sweep could leave behind: who listens to whom, objects, layers, threads."""
    viewer, window = review.viewer, main_window(review.viewer)
    plots = review.timeline._quality, review.timeline._area, review.timeline._labels
    there = Counter(
        {
            "Qt objects of the window": len(window.findChildren(QObject)),
            "layers": len(viewer.layers),
            "mouse callbacks": len(viewer.mouse_drag_callbacks),
            "items of the timeline": sum(len(plot.items) for plot in plots),
            "watching threads": sum("watches" in each.name for each in threading.enumerate()),
        }
    )
    for sender in (QApplication.instance(), window, *window.findChildren(QObject)):
        if type(sender).__module__.startswith("napari."):
            continue  # its sliders come and go as it likes
        for name in dir(type(sender)):
            if isinstance(getattr(type(sender), name, None), SIGNAL):
                # of an object that Qt itself made; PySide6 counts no bound signal's
                with suppress(RuntimeError, TypeError):
                    listeners = sender.receivers(getattr(sender, name))
                    there[f"{type(sender).__name__}.{name}"] += listeners
    for thing in gc.get_objects():
        if isinstance(thing, EventEmitter):
            there["listeners to napari's events"] += sum(map(is_ours, thing.callbacks))
        elif isinstance(thing, SignalInstance):
            there["listeners to psygnal's signals"] += len(thing)
        elif str(type(thing).__module__).startswith("napari_fetal_iqa."):
            there[type(thing).__name__] += 1
    for kept in ("Event", "_Action"):  # the history of the corrections
        del there[kept]
    return there


def test_sweeps_that_are_opened_in_turn_leave_nothing_behind(window, tiny_settings, qtbot, phantom):
    review = window()
    sweeps = [phantom.sweep, make_phantom(PhantomSettings.small(), seed=4).sweep]

    def open_and_remove(sweep):
        before = review.presenter
        data, attributes, _ = sweep_layer(sweep)
        layer = review.viewer.add_image(data, **attributes)
        qtbot.waitUntil(lambda: review.presenter not in (None, before), timeout=20 * SECONDS)
        review.presenter.actions.paint()
        review.presenter.actions.ellipse()
        review.presenter.actions.label_optimal()
        review.viewer.layers.remove(layer)
        qtbot.waitUntil(lambda: not review.viewer.layers, timeout=20 * SECONDS)

    def settled():
        gc.collect()
        return what_is_there(review)

    for sweep in sweeps:  # what is made once is made now
        open_and_remove(sweep)
    qtbot.waitUntil(lambda: settled()["watching threads"] == 0, timeout=20 * SECONDS)
    before = settled()
    for sweep in sweeps * 2:
        open_and_remove(sweep)

    def grown():
        return {what: (before[what], now) for what, now in settled().items() if now > before[what]}

    qtbot.waitUntil(lambda: not grown() or pytest.fail(str(grown())), timeout=20 * SECONDS)
