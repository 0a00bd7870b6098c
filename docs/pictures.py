"""Make the pictures of the documentation, in a real window.

    python docs/pictures.py [NAME ...] [--sweep FILE] [--out docs/images] [--only 1280-dark ...]

Each state at 1280 x 800 and 1920 x 1080, dark and light; with ``--scale 2`` at 1920 x 1080 alone,
each of Qt's pixels being two by two of the screen. Without a screen:
xvfb-run -a -s "-screen 0 1920x1080x24" python docs/pictures.py
"""

import argparse
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((1280, 800), (1920, 1080))
THEMES = ("dark", "light")


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Let the window live until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("waited too long")
        QApplication.processEvents()
        time.sleep(0.005)


def settle(seconds: float = 1.0) -> None:
    """Let the window draw what there is to draw."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)


@contextmanager
def window(size: tuple[int, int], theme: str) -> Iterator:
    """Open napari with the review widget."""
    import napari

    from napari_fetal_iqa.storage.settings import Settings
    from napari_fetal_iqa.widgets import ReviewWidget

    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(*size)
    widget = ReviewWidget(viewer, settings=Settings(reviewer="AK"))
    viewer.window.add_dock_widget(widget, name="Fetal IQA review", area="right")
    yield widget
    if widget.finetuning.job is not None:
        widget.finetuning.cancel()
    widget.close()
    settle(0.2)
    viewer.close()


def analysed(widget) -> bool:
    """Return whether every frame has its results, on the screen too."""
    opened = widget.presenter
    return bool(
        opened
        and not widget.runner.running
        and opened.session.analysis
        and opened.session.analysis.complete
        and not opened.view._when_idle.isActive()
    )


def empty(widget) -> None:
    """Nothing is open."""


def half_done(widget) -> None:
    """The analysis is under way."""
    widget.open_phantom()
    wait_until(
        lambda: widget.presenter is not None and widget.presenter.session.analysis is not None
    )
    wait_until(lambda: widget.presenter.session.analysis.computed.mean() > 0.5)


def phantom(widget) -> None:
    """The phantom is analysed; its best frame is on the screen."""
    widget.open_phantom()
    wait_until(lambda: analysed(widget))
    widget.presenter.actions.go_best()


def real(widget, sweep: Path) -> None:
    """A real sweep is analysed."""
    widget.open_file(str(sweep))
    wait_until(lambda: analysed(widget))
    widget.presenter.actions.go(100)
    widget.presenter.actions.go_best()


def ellipse(widget) -> None:
    """The best frame's outline is being drawn anew as an ellipse."""
    from napari_fetal_iqa.geometry.ellipse import Handle

    phantom(widget)
    widget.presenter.actions.ellipse()
    view = widget.presenter.view
    drawn = view.ellipse._ellipse
    end = (drawn.handles_mm[0] + 0.12 * (drawn.handles_mm[0] - drawn.handles_mm[1])).tolist()
    widget.presenter.actions.take_ellipse(drawn.moved(Handle.FIRST_START, end))


def reviewers(widget) -> None:
    """Two reviewers disagree on some frames, one of which is on the screen."""
    phantom(widget)
    view, store = widget.presenter.view, widget.keeper.store
    identity, best = view.session.sweep.identity, view.session.best_frame()
    near = range(best - 4, best + 5)
    for frame in near:
        view.session.accept(frame)
    store.set_label(identity, near, 1, "BM")
    store.set_label(identity, best + 3, 2, "BM")
    drawn = view._ellipse(view.session.view(best))
    shifted = replace(drawn, center_mm=tuple(np.add(drawn.center_mm, (9, 14)).tolist()))
    store.set_mask(identity, best, view.mask_of(shifted), "BM")
    widget.presenter._offer_reviewers()
    choice = widget.page.reviewers.choice
    choice.setCurrentIndex(choice.findText("Where BM disagrees"))
    choice.activated.emit(choice.currentIndex())
    show_section(widget, widget.page.reviewers)


def corrected(widget) -> None:
    """Some frames are corrected, and what can be learnt from them is shown."""
    phantom(widget)
    session = widget.presenter.session
    best = session.best_frame()
    shown = [frame for frame in range(best - 6, best + 6) if session.mask(frame).any()]
    for frame in (*shown, *range(0, 60, 5)):
        session.accept(frame)
    widget.presenter._show_saved()
    widget.page.finetuning.expand(animate=False)
    wait_until(widget.page.finetuning.form.refresh.isEnabled)
    show_section(widget, widget.page.finetuning)


def worklist(widget) -> None:
    """A folder of sweeps is worked through: the second is open, the first is reviewed."""
    from napari_fetal_iqa.contributions.sample_data import demo_sweep
    from napari_fetal_iqa.io import write_volume

    phantom = demo_sweep()
    folder = Path(os.environ["FETAL_IQA_HOME"]) / "clinic_12_May"
    for number, (start, stop) in enumerate(phantom.bounds, start=1):
        write_volume(folder / f"case_{number:02}.mha", phantom.frames[start:stop], (0.3, 0.3))
    (folder / "case_07.mha").write_bytes(b"not a sweep")
    widget.worklist.open_folder(folder)
    wait_until(lambda: analysed(widget))
    widget.presenter.actions.go_best()
    widget.presenter.actions.label_optimal()
    widget.presenter.actions.next_frame()
    widget.presenter.actions.label_suboptimal()
    widget.page.reviewed.click()
    rows = widget.worklist.widget.model.rows
    wait_until(lambda: rows[1].facts is not None and rows[1].facts.analysed == 1)
    wait_until(lambda: rows[0].facts is not None and bool(rows[0].facts.reviewed))
    widget.worklist.step(1)
    wait_until(lambda: widget.worklist.widget.model.in_front == 1 and analysed(widget))
    widget.presenter.actions.go_best()
    wait_until(lambda: rows[1].facts is not None and rows[1].facts.best_frame is not None)
    wait_until(lambda: rows[2].facts is not None and rows[2].facts.analysed == 1)


def back(widget) -> None:
    """Nothing is open any more: the page goes on with what was open last."""
    worklist(widget)
    widget.viewer.layers.clear()
    wait_until(widget.welcome.go_on.isVisible)
    widget.welcome.readers.hide()


def candidates(widget) -> None:
    """The best frames stand beside each other, above the timeline."""
    phantom(widget)
    if not widget.candidates.visible:
        widget.page.candidates.click()
    shown = widget.candidates.strip.model
    wait_until(lambda: bool(shown.candidates))
    wait_until(lambda: all(shown.index(n, 0).data(1) for n in range(len(shown.candidates))))
    wait_until(lambda: "…" not in (shown.index(0, 0).data(4) or ""))


def show_section(widget, section) -> None:
    """Scroll the panel so that a section is seen."""
    settle(0.3)
    bar = widget.page.scroll_area.verticalScrollBar()
    bar.setValue(min(bar.maximum(), section.y()))


def learning(widget) -> None:
    """The model of the outlines learns."""
    corrected(widget)
    form = widget.page.finetuning.form
    form.choices.set_field("task", "seg")
    wait_until(form.start.isEnabled)
    form.start.click()
    panel = widget.page.finetuning
    wait_until(
        lambda: widget.finetuning.job is None or panel.results or panel.monitor.curves.drawn[0] > 40
    )
    show_section(widget, widget.page.finetuning)


def learnt(widget) -> None:
    """The old and the new model of the outlines stand beside each other."""
    learning(widget)
    wait_until(lambda: widget.finetuning.job is None or widget.page.finetuning.results)
    show_section(widget, widget.page.finetuning)


STATES = {
    "empty": empty,
    "analysing": half_done,
    "phantom": phantom,
    "ellipse": ellipse,
    "reviewers": reviewers,
    "candidates": candidates,
    "worklist": worklist,
    "back": back,
    "learn": corrected,
    "learning": learning,
    "learnt": learnt,
}


def picture(reach: Callable, size: tuple[int, int], theme: str, home: Path, path: Path) -> None:
    """Bring a new window, which has its data in ``home``, to a state, and write its picture."""
    os.environ["FETAL_IQA_HOME"] = str(home)
    with window(size, theme) as widget:
        reach(widget)
        settle()
        wait_until(lambda: widget.caption.settled)  # its letters take a while at first
        shot = widget.viewer.screenshot(canvas_only=False, flash=False)
        Image.fromarray(shot[..., :3]).save(path, quality=80)
        print(path.name, flush=True)


def main() -> None:
    """Make the requested pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*STATES, []], help="by default all")
    parser.add_argument("--sweep", type=Path, help="also picture this sweep, analysed")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--scale", type=int, default=1, help="2: as on a dense screen")
    parser.add_argument("--only", nargs="*", help="widths and themes, as 1280-dark; by default all")
    options = parser.parse_args()
    sizes, suffix = SIZES, ""
    if options.scale > 1:
        os.environ["QT_SCALE_FACTOR"] = str(options.scale)  # before Qt begins
        width, height = SIZES[-1]
        sizes = ((width // options.scale, height // options.scale),)
        suffix = f"-scale{options.scale}"
    states = {name: STATES[name] for name in options.names or STATES}
    if options.sweep:
        states["real"] = lambda widget: real(widget, options.sweep)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        done = Path(folder) / "done"  # the phantom, analysed: made once, and not for each picture
        picture(phantom, SIZES[0], THEMES[0], done, Path(folder) / "unused.jpg")
        for name, size, theme in itertools.product(states, sizes, THEMES):
            width = size[0] * options.scale
            if options.only and f"{width}-{theme}" not in options.only:
                continue
            home = Path(folder) / f"{name}-{width}{suffix}-{theme}"
            shutil.copytree(
                done / "cache",
                home / "cache",
                ignore=shutil.ignore_patterns("analyses") if name == "analysing" else None,
            )
            picture(states[name], size, theme, home, options.out / f"{home.name}.jpg")


if __name__ == "__main__":
    main()
