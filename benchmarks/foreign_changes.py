"""Random sequences of what scripts do to the layers of an open review: crashes and wrong stores.

    python benchmarks/foreign_changes.py --sequences 1000

Each sequence opens a sweep and makes five changes in a row, drawn at random: a foreign Labels
layer, exchanged axes, replaced pixels, another scale, cleared layers and more. The window is drawn
between them, and a correction is tried after each. A process makes a hundred sequences, with
faulthandler on; one that dies is counted, told apart by whether it died in OpenGL's drawing, and
followed by another. Needs a screen; on a server, put xvfb-run -a before it.
"""

import argparse
import faulthandler
import gc
import os
import random
import subprocess
import sys
import tempfile
import time

PER_PROCESS = 100
CHANGES = 5
MOST_LAYERS = 12
SECONDS = 60
TURN = 0.004
"""Seconds between two turns of Qt's loop while the window is let live."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        walk(options.child, options.sequences)
        return
    done = wrong = 0
    deaths = []
    while done < options.sequences:
        wanted = min(PER_PROCESS, options.sequences - done)
        finished, more_wrong, died, stack = one_process(wanted, options.seed + done)
        done += finished + bool(died)  # with the sequence in which it died
        wrong += more_wrong
        if died:
            drawing = "glDraw" in stack
            deaths.append(drawing)
            print(f"died with {died}, {'in' if drawing else 'not in'} OpenGL's drawing")
            print(stack[-6000:])
        print(f"{done} sequences, {len(deaths)} deaths, {wrong} wrong", flush=True)
    print()
    print("| sequences | deaths in OpenGL's drawing | other deaths | stored for other pixels |")
    print("|---|---|---|---|")
    print(f"| {done} | {sum(deaths)} | {len(deaths) - sum(deaths)} | {wrong} |")


def one_process(sequences, seed):
    """Let a process make sequences; return how many it finished, what was wrong, how it ended."""
    command = [sys.executable, __file__, "--sequences", str(sequences), "--child", str(seed)]
    finished = wrong = 0
    with tempfile.TemporaryFile("w+") as stack:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stack, text=True)
        for line in child.stdout:
            finished += line.startswith("done ")
            wrong += line.startswith("wrong ")
            print(line, end="", flush=True)
        died = child.wait()
        stack.seek(0)
        return finished, wrong, died, stack.read()


def walk(seed, sequences):
    """Make sequences in one window; print a line for each."""
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as home:
        os.environ["FETAL_IQA_HOME"] = home
        desk = Desk()
        for number in range(seed, seed + sequences):
            desk.sequence(number)
            print("done", number, flush=True)
        desk.close()


class Desk:
    """A window with the review in it, and what others do to it."""

    def __init__(self):
        import napari
        from qtpy.QtWidgets import QApplication

        from napari_fetal_iqa.contributions.layers import sweep_layer
        from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
        from napari_fetal_iqa.storage.settings import Settings, save_settings
        from napari_fetal_iqa.widgets import ReviewWidget

        settings = Settings(reviewer="AK", analyse_on_open=False)
        save_settings(settings)
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(600, 400)  # software OpenGL draws it faster
        self.application = QApplication.instance()
        self.widget = ReviewWidget(self.viewer, settings=settings)
        self.viewer.window.add_dock_widget(self.widget, name="Fetal IQA review", area="right")
        self.sweep = make_phantom(PhantomSettings.small(), seed=3).sweep
        self.sweep_layer = sweep_layer
        self.draw(1)
        # napari collects garbage whenever a layer goes: only what came since is looked through
        gc.collect()
        gc.freeze()

    def close(self):
        """Close the window."""
        self.widget.shut_down()
        self.viewer.close()
        self.draw()

    def draw(self, seconds=0.0):
        """Let the window answer and draw, and Qt delete what is gone: no loop does it here."""
        from qtpy.QtCore import QEvent

        end = time.monotonic() + seconds
        self.application.processEvents()
        while time.monotonic() < end:
            time.sleep(TURN)  # others work, too
            self.application.processEvents()
        self.application.sendPostedEvents(None, QEvent.Type.DeferredDelete)

    def sequence(self, number):
        """Open a sweep, and make the changes of one sequence."""
        draw = random.Random(number)
        if self.widget.layer is None or draw.random() < 0.3:
            data, attributes, _ = self.sweep_layer(self.sweep)
            self.viewer.add_image(data, **attributes)
        elif self.widget.presenter is None:
            self.widget.page.analysis.reopen.click()
        end = time.monotonic() + SECONDS
        while self.widget.presenter is None and time.monotonic() < end:
            self.draw(0.01)
        assert self.widget.presenter is not None, "the sweep did not open again"
        for _ in range(CHANGES):
            change = draw.choice(CHANGED_BY)
            change(self, draw)
            self.draw(draw.choice((0, 0, 0.02)))
            self.correct(number, change.__name__)
            self.draw(draw.choice((0, 0.02)))
        self.viewer.dims.ndisplay = 2
        self.viewer.dims.order = tuple(range(self.viewer.dims.ndim))
        self.draw(0.02)
        while len(self.viewer.layers) > MOST_LAYERS:
            self.viewer.layers.remove(self.viewer.layers[0])

    def correct(self, number, after):
        """Try to correct; nothing may be stored for pixels that are not the sweep's."""
        from napari_fetal_iqa.sweep import SweepVolume
        from napari_fetal_iqa.widgets.shortcuts import Action

        store = self.widget.keeper.store
        before = len(store.events())
        layer, dims = self.widget.layer, self.viewer.dims
        in_order = tuple(dims.order) == tuple(range(dims.ndim)) and dims.ndisplay == 2
        self.widget.do(Action.LABEL_OPTIMAL)
        for event in store.events()[before:]:
            # other pixels that somebody put there may be reviewed, too, as the sweep that they are
            is_shown = event.sweep == SweepVolume(layer.data).identity
            spacing = self.widget.presenter.session.sweep.spacing_mm or tuple(layer.scale[1:])
            lies_right = tuple(layer.scale) == (1.0, *spacing)
            if not (is_shown and lies_right and in_order):
                said = f"sweep {is_shown}, place {lies_right}, axes {in_order}"
                print("wrong", number, "stored after", after, said, flush=True)


def add_labels(desk, draw):
    import numpy as np

    desk.viewer.add_labels(np.ones((draw.randint(1, 40), 60, 80), np.uint8), name="theirs")


def add_picture(desk, draw):
    import numpy as np

    desk.viewer.add_image(np.zeros((60, 80), np.float32), name="a picture")


def exchange_axes(desk, draw):
    order = list(range(desk.viewer.dims.ndim))
    draw.shuffle(order)
    desk.viewer.dims.order = tuple(order)


def show_in_3d(desk, draw):
    desk.viewer.dims.ndisplay = draw.choice((2, 3))


def replace_pixels(desk, draw):
    import numpy as np

    if desk.widget.layer is not None:
        shape = draw.choice((desk.sweep.shape, (7, 30, 40)))
        desk.widget.layer.data = np.full(shape, 90, np.uint8)


def scale(desk, draw):
    if desk.widget.layer is not None:
        desk.widget.layer.scale = (1, draw.choice((0.5, 2)), 1)


def clear(desk, draw):
    desk.viewer.layers.clear()


def remove_one(desk, draw):
    if desk.viewer.layers:
        desk.viewer.layers.remove(draw.choice(list(desk.viewer.layers)))


def move_to_front(desk, draw):
    if desk.viewer.layers:
        place = draw.randrange(len(desk.viewer.layers))
        desk.viewer.layers.move(place, len(desk.viewer.layers))


def replace_outlines(desk, draw):
    import numpy as np

    if desk.widget.presenter is not None:
        layer = desk.widget.presenter.view.overlay.layer
        layer.data = np.ones((9, 30, 40), np.uint8)


def open_another(desk, draw):
    data, attributes, _ = desk.sweep_layer(desk.sweep)
    desk.viewer.add_image(data, **attributes)


def go_on(desk, draw):
    for _ in range(3):
        desk.viewer.dims.set_current_step(0, draw.randrange(30))
        desk.draw()


CHANGED_BY = (
    add_labels,
    add_picture,
    exchange_axes,
    show_in_3d,
    replace_pixels,
    scale,
    clear,
    remove_one,
    move_to_front,
    replace_outlines,
    open_another,
    go_on,
)


if __name__ == "__main__":
    main()
