"""From a key to its picture: in bare napari, in the review, and in the review while it analyses.

    python benchmarks/key_to_picture.py [--frames 840] [--steps 100] [--rounds 2]

Windows in turn, in one process, of one size and over the same sweep. A step is a press of the
Right key (an event of Qt's own, sent to the window) until the canvas has drawn the new frame; the
window has its own time between two, as between the repeats of a key that is held. The analysis is
the real one, from an empty cache: the models in their process, which outline every frame. Ratios
are those of one run. Needs a screen:
xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/key_to_picture.py
"""

import argparse
import gc
import os
import tempfile
import time

import numpy as np
from scrub import SHAPE, SIZE, activate, settle, sweep_and_masks

BETWEEN = 0.05
"""Seconds from a picture to the next key: about the repeats of a held one."""


def key_times(viewer, receiver, steps: int, going_on=lambda: True) -> np.ndarray:
    """Seconds of each step, as long as something goes on."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    drawn = []

    def note(event) -> None:
        drawn.append(time.perf_counter())

    events = viewer.window._qt_viewer.canvas._scene_canvas.events
    events.draw.connect(note)
    times = []
    activate(viewer)
    while len(times) < steps and going_on():
        settle(seconds=BETWEEN)
        count, before = len(drawn), viewer.dims.current_step[0]
        start = time.perf_counter()
        QTest.keyClick(receiver, Qt.Key.Key_Right)
        while len(drawn) == count or viewer.dims.current_step[0] == before:
            QApplication.processEvents()
        times.append(time.perf_counter() - start)
    events.draw.disconnect(note)
    return np.array(times[min(10, len(times) // 6) :])


def new_viewer():
    """Open a window of the benchmark's size."""
    import napari

    viewer = napari.Viewer(show=False)
    viewer.window.resize(*SIZE)
    viewer.show()
    return viewer


def bare(sweep, masks, steps: int) -> np.ndarray:
    """Time napari alone, with an image and its outlines."""
    from napari_fetal_iqa.contributions.layers import sweep_layer

    viewer = new_viewer()
    data, attributes, _ = sweep_layer(sweep)
    image = viewer.add_image(data, **attributes)
    labels = viewer.add_labels(np.stack(masks).view(np.uint8), scale=image.scale, units=image.units)
    labels.contour = 3
    viewer.dims.set_current_step(0, 0)
    settle()
    times = key_times(viewer, viewer.window._qt_viewer.canvas.native, steps)
    viewer.close()
    return times


def reviewed(sweep, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Time the review: while the models work, and over what they found once they are stopped."""
    from napari_fetal_iqa.contributions.layers import sweep_layer
    from napari_fetal_iqa.storage.settings import Settings
    from napari_fetal_iqa.widgets import ReviewWidget

    viewer = new_viewer()
    settings = Settings(reviewer="AK", analyse_on_open=False, outline_all=True)
    widget = ReviewWidget(viewer, settings=settings)
    viewer.window.add_dock_widget(widget, name="Fetal IQA review", area="right")
    data, attributes, _ = sweep_layer(sweep)
    viewer.add_image(data, **attributes)
    settle(lambda: widget.presenter is not None)
    presenter, window = widget.presenter, viewer.window._qt_window
    viewer.dims.set_current_step(0, 0)
    presenter.analyse()
    settle(lambda: presenter.session.analysis is not None)
    settle(lambda: presenter.session.analysis.computed.any())
    with_analysis = key_times(viewer, window, steps, lambda: widget.runner.running)
    done = presenter.session.analysis.computed.mean()
    print(f"  {len(with_analysis)} keys while {100 * done:.0f} % of the frames were analysed")
    widget.runner.cancel()
    widget.runner.release()
    settle(lambda: not presenter.view._when_idle.isActive())
    viewer.dims.set_current_step(0, 0)
    without = key_times(viewer, window, steps)
    widget.close()
    settle()
    viewer.close()
    return without, with_analysis


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=840)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    times: dict[str, list[np.ndarray]] = {
        "bare napari": [],
        "the review": [],
        "the review, analysing": [],
    }
    sweep, masks = sweep_and_masks(options.frames)
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as home:  # an empty cache each time
            os.environ["FETAL_IQA_HOME"] = home
            times["bare napari"].append(bare(sweep, masks, options.steps))
            gc.collect()
            without, with_analysis = reviewed(sweep, options.steps)
            times["the review"].append(without)
            times["the review, analysing"].append(with_analysis)
            gc.collect()
    percentiles = {
        name: np.percentile(1e3 * np.concatenate(t), [50, 95]) for name, t in times.items()
    }
    base = percentiles["bare napari"]
    print(f"{options.frames} frames of {SHAPE[0]} x {SHAPE[1]}, window {SIZE[0]} x {SIZE[1]},")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("key to picture             median ms   95 % ms   / bare, median   / bare, 95 %")
    for name, (median, tail) in percentiles.items():
        ratios = f"{median / base[0]:15.2f} {tail / base[1]:14.2f}"
        print(f"{name:26} {median:9.1f} {tail:9.1f} {ratios}")
    alone, beside = percentiles["the review"], percentiles["the review, analysing"]
    median, tail = beside / alone
    print(f"analysing / not: {median:.2f} (median), {tail:.2f} (95 %)")


if __name__ == "__main__":
    main()
