"""A long review: frame changes with painting over four sweeps in turn, and what grows meanwhile.

    python benchmarks/soak.py [--changes 3000]

Four phantoms of 120 frames, opened one after the other, each in place of the one before. Every
frame change is drawn; every tenth frame is painted on and labelled, through napari's own painting.
Measured when all four were opened once, and at the end: memory, Python objects, Qt objects,
listeners to signals and events, file descriptors and threads. Corrections stay in memory by design,
as their history; how many there are is printed. napari 0.9 itself leaves listeners behind (of its
settings, and of copies of its list of layers): what as many openings of such layers leave in a bare
napari stands beside it. Needs a screen: xvfb-run -a python ...
"""

import argparse
import gc
import os
import tempfile
import time

PER_OPENING = 25
PAINT_EVERY = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=3000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["FETAL_IQA_HOME"] = home
        desk = Desk()
        for _ in range(2):
            for number in range(len(desk.sweeps)):
                desk.open(number)
                desk.review(PER_OPENING)
        start, began = desk.count(), time.monotonic()
        done = openings = 0
        while done < options.changes:
            desk.open(openings % len(desk.sweeps))
            openings += 1
            wanted = min(PER_OPENING, options.changes - done)
            desk.review(wanted)
            done += wanted
        seconds = time.monotonic() - began
        end = desk.count()
        print(f"{done} frame changes, {openings} openings, {seconds:.0f} s")
        print()
        desk.close()
        bare = growth_of_bare_napari(openings)
        print("| | start | end | grown in bare napari |")
        print("|---|---|---|---|")
        for what, before in start.items():
            grown = f"{bare[what]:,}" if what in bare else ""
            print(f"| {what} | {before:,} | {end[what]:,} | {grown} |")


class Desk:
    """A window with the review, four sweeps, and what is counted of them."""

    def __init__(self):
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
        from napari_fetal_iqa.storage.settings import Settings, save_settings
        from napari_fetal_iqa.widgets import ReviewWidget

        settings = Settings(reviewer="AK", analyse_on_open=False)
        save_settings(settings)
        small = PhantomSettings.small()
        self.sweeps = [make_phantom(small, seed=seed).sweep for seed in range(4)]
        self.viewer = napari.Viewer(show=True)
        self.application = QApplication.instance()
        self.widget = ReviewWidget(self.viewer, settings=settings)
        self.viewer.window.add_dock_widget(self.widget, name="Fetal IQA review", area="right")

    def close(self):
        """Close the window."""
        self.widget.shut_down()
        self.viewer.close()
        self.draw()

    def draw(self):
        """Let the window answer and draw."""
        draw(self.application)

    def wait(self, condition):
        """Let the window work until something is so."""
        end = time.monotonic() + 60
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError("the window did not get there in a minute")
            self.draw()

    def open(self, number):
        """Open a sweep in place of the one before."""
        from napari_fetal_iqa.contributions.layers import sweep_layer

        before = self.widget.layer
        if before is not None:
            self.viewer.layers.remove(before)
            self.wait(lambda: not self.viewer.layers)
        data, attributes, _ = sweep_layer(self.sweeps[number])
        self.viewer.add_image(data, **attributes)
        self.wait(lambda: self.widget.presenter is not None)

    def review(self, changes):
        """Go through frames, and paint on some of them."""
        presenter = self.widget.presenter
        overlay = presenter.view.overlay
        for step in range(changes):
            frame = step % len(presenter.session.sweep)
            presenter.actions.go(frame)
            self.draw()
            if step % PAINT_EVERY == 0:
                presenter.actions.paint()
                with overlay.layer.block_history():
                    overlay.layer.paint((frame, 40 + step % 20, 50), overlay.layer.selected_label)
                overlay.report_strokes()
                presenter.actions.label_optimal()
                self.draw()
        self.wait(lambda: presenter.idle_queue.idle)

    def count(self):
        """Count what may grow."""
        import psutil
        from qtpy.QtCore import QObject

        window = self.viewer.window._qt_window
        end = time.monotonic() + 2  # threads of the last sweep end meanwhile
        while time.monotonic() < end:
            self.draw()
        gc.collect()
        process, things = psutil.Process(), gc.get_objects()
        return {
            "memory, MB": process.memory_info().rss // 1_000_000,
            "Python objects": len(things),
            "Qt objects of the window": len(window.findChildren(QObject)),
            **listeners(things),
            "objects of this package": sum(
                str(type(thing).__module__).startswith("napari_fetal_iqa.")
                and type(thing).__name__ not in ("Event", "_Action")
                for thing in things
            ),
            "corrections (kept by design)": len(self.widget.keeper.store.events()),
            "file descriptors": process.num_fds() if hasattr(process, "num_fds") else 0,
            "threads": process.num_threads(),
        }


def draw(application):
    """Let the windows answer and draw, and Qt delete what is gone: no loop does it here."""
    from qtpy.QtCore import QEvent

    application.processEvents()
    application.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def listeners(things):
    """Count who listens, of all objects that there are."""
    from napari.utils.events import EventEmitter
    from psygnal import SignalInstance

    return {
        "listeners to napari's events": sum(
            len(thing.callbacks) for thing in things if isinstance(thing, EventEmitter)
        ),
        "listeners to psygnal's signals": sum(
            len(thing) for thing in things if isinstance(thing, SignalInstance)
        ),
    }


def growth_of_bare_napari(openings):
    """Count the listeners that napari leaves when layers like ours come and go this often."""
    import napari
    import numpy as np
    from qtpy.QtWidgets import QApplication

    viewer, application = napari.Viewer(), QApplication.instance()

    def open_and_remove():
        volume = np.zeros((120, 96, 128), np.uint8)
        viewer.add_image(volume)
        viewer.add_labels(volume)
        viewer.add_labels(volume)
        viewer.add_points(np.zeros((4, 3)))
        viewer.add_vectors(np.zeros((4, 2, 3)))
        draw(application)
        viewer.layers.clear()
        draw(application)

    def count():
        gc.collect()
        return listeners(gc.get_objects())

    for _ in range(4):
        open_and_remove()
    before = count()
    for _ in range(openings):
        open_and_remove()
    after = count()
    viewer.close()
    draw(application)
    return {what: after[what] - before[what] for what in before}


if __name__ == "__main__":
    main()
