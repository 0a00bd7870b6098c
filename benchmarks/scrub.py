"""What the review costs while scrubbing, against bare napari; and how long results block the GUI.

    python benchmarks/scrub.py [--frames 840] [--steps 120]

Two windows in turn, in one process: bare napari with an image and a labels layer (outlines, as the
overlay has), and the same sweep in the review widget, analysed, with overlay, calipers, panel and
timeline. A step is a new frame and the drawing of everything. Then results of all frames come in
batches of 64, as an analysis brings them, while a heartbeat measures the longest time in which the
window did not answer. Needs a screen: xvfb-run -a -s "-screen 0 1920x1080x24" python ...
"""

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Callable

import numpy as np

SHAPE = (562, 744)
SPACING = (0.28, 0.28)
SIZE = (1600, 900)
BATCH = 64


def sweep_and_masks(n_frames: int):
    """Speckle in a field of view, and an ellipse that grows and shrinks."""
    from napari_fetal_iqa.geometry.ellipse import Ellipse
    from napari_fetal_iqa.sweep import SweepVolume

    speckle = np.random.default_rng(0).integers(1, 255, SHAPE, dtype=np.uint8)
    frames = np.empty((n_frames, *SHAPE), np.uint8)
    for number, frame in enumerate(frames):  # each another, for repeated ones are not analysed
        frame[:] = np.roll(speckle, (number, 7 * number), axis=(0, 1))
    sizes = 30 + 8 * np.sin(np.arange(n_frames) / 9)
    masks = [Ellipse((80.0, 100.0), (a, 0.9 * a), 20.0).mask(SHAPE, SPACING) for a in sizes]
    return SweepVolume(frames, SPACING, name="benchmark"), masks


def all_results(masks):
    """What the networks would predict for every frame."""
    from napari_fetal_iqa.analysis import FrameResults
    from napari_fetal_iqa.geometry.mask_codec import encode_mask

    n_frames = len(masks)
    codes = [encode_mask(mask) for mask in masks]
    quality = np.random.default_rng(1).random(n_frames).astype(np.float32)
    area = np.array([mask.mean() for mask in masks], np.float32)

    def results(frames):
        return FrameResults(
            frames=frames,
            quality=quality[frames],
            area_fraction=area[frames],
            masks=tuple(codes[frame] for frame in frames),
            ac_mm=np.full(len(frames), 200.0),
            non_black=np.ones(len(frames), bool),
            seconds={},
        )

    return results


def settle(condition: Callable[[], bool] = lambda: True, seconds: float = 0.5) -> None:
    """Let the window live for a while, and until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not condition():
        QApplication.processEvents()


def activate(viewer) -> None:
    """Let the window have the keys: shortcuts are those of the active one."""
    from qtpy.QtWidgets import QApplication

    window = viewer.window._qt_window
    while not window.isActiveWindow():
        window.activateWindow()
        QApplication.processEvents()


def step_times(viewer, steps: int, n_frames: int) -> np.ndarray:
    """Seconds that each of some steps takes, drawing included."""
    from qtpy.QtWidgets import QApplication

    canvas = viewer.window._qt_viewer.canvas
    drawn = []
    canvas._scene_canvas.events.draw.connect(lambda event: drawn.append(1))
    times = []
    viewer.dims.set_current_step(0, n_frames - 1)  # a step to where it stands draws nothing
    settle()
    for step in range(steps):
        frame = (7 * step) % n_frames
        count = len(drawn)
        start = time.perf_counter()
        viewer.dims.set_current_step(0, frame)
        while len(drawn) == count:
            QApplication.processEvents()
        times.append(time.perf_counter() - start)
    return np.array(times[steps // 6 :])


def bare(sweep, masks, steps: int) -> np.ndarray:
    """Time napari alone."""
    import napari

    from napari_fetal_iqa.contributions.layers import sweep_layer

    viewer = napari.Viewer(show=False)
    viewer.window.resize(*SIZE)
    viewer.show()
    data, attributes, _ = sweep_layer(sweep)
    image = viewer.add_image(data, **attributes)
    labels = viewer.add_labels(np.stack(masks).view(np.uint8), scale=image.scale, units=image.units)
    labels.contour = 3
    settle()
    times = step_times(viewer, steps, len(sweep))
    viewer.close()
    return times


def reviewed(sweep, results, steps: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Time the review widget; while results come also the gaps between heartbeats, and our work.

    A gap may hold a drawing of the canvas, which is napari's; our work is what the review itself
    does in one go.
    """
    import napari
    from qtpy.QtCore import QTimer

    from napari_fetal_iqa.analysis import Analysis, AnalysisSetup, ModelRef
    from napari_fetal_iqa.contributions.layers import sweep_layer
    from napari_fetal_iqa.storage.settings import Settings
    from napari_fetal_iqa.widgets import ReviewWidget

    viewer = napari.Viewer(show=False)
    viewer.window.resize(*SIZE)
    viewer.show()
    widget = ReviewWidget(viewer, settings=Settings(reviewer="AK", analyse_on_open=False))
    viewer.window.add_dock_widget(widget, name="Fetal IQA review", area="right")
    data, attributes, _ = sweep_layer(sweep)
    viewer.add_image(data, **attributes)
    settle(lambda: widget.presenter is not None)
    view = widget.presenter.view
    models = (ModelRef(id=f"{t}-0000", hash=t * 16, name=t) for t in ("cls", "seg"))
    view.session.begin_analysis(Analysis(sweep, AnalysisSetup(*models)))
    settle(lambda: not view._when_idle.isActive())

    own = []

    def timed(work: Callable) -> Callable:
        def do(*args) -> None:
            start = time.perf_counter()
            work(*args)
            own.append(time.perf_counter() - start)

        return do

    for timer, work in (
        (view._when_idle, view._paint_some),
        (widget.presenter.idle_queue._timer, widget.presenter.idle_queue._do_one),
    ):
        timer.timeout.disconnect()
        timer.timeout.connect(timed(work))
    bring = timed(widget.presenter._results_came)

    beats = []
    heart = QTimer()
    heart.timeout.connect(lambda: beats.append(time.perf_counter()))
    heart.start(0)
    waiting = [np.arange(s, min(s + BATCH, len(sweep))) for s in range(0, len(sweep), BATCH)]
    bringer = QTimer()
    bringer.timeout.connect(lambda: waiting and bring(results(waiting.pop(0))))
    bringer.start(150)
    settle(lambda: not waiting and not view._when_idle.isActive())
    heart.stop()
    bringer.stop()

    times = step_times(viewer, steps, len(sweep))
    widget.close()
    settle()
    viewer.close()
    return times, np.diff(beats), own


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=840)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["FETAL_IQA_HOME"] = home
        sweep, masks = sweep_and_masks(options.frames)
        results = all_results(masks)
        alone, with_review, gaps, own = [], [], [], []
        for _ in range(options.rounds):
            alone.append(bare(sweep, masks, options.steps))
            gc.collect()
            times, between, work = reviewed(sweep, results, options.steps)
            with_review.append(times)
            gaps.append(between)
            own.extend(work)
            gc.collect()
    ours, theirs = np.concatenate(with_review), np.concatenate(alone)
    print(f"{options.frames} frames of {SHAPE[0]} x {SHAPE[1]}, window {SIZE[0]} x {SIZE[1]}")
    print("a step, drawn                median ms   95 % ms")
    for name, times in (("bare napari, two layers", theirs), ("the review", ours)):
        median, tail = np.percentile(1e3 * times, [50, 95])
        print(f"{name:28} {median:9.1f} {tail:9.1f}")
    print(f"the review / bare            {np.median(ours) / np.median(theirs):9.2f}")
    gap = 1e3 * np.concatenate(gaps)
    print(f"longest block while {options.frames} results came: {gap.max():.0f} ms")
    print(f"longest piece of the review's own work in it: {1e3 * max(own):.0f} ms")


if __name__ == "__main__":
    main()
