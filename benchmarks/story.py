"""From the icon to the circumference read and one outline mended: how many actions, how long.

    python benchmarks/story.py [--sweep FILE.mha] [--size 1280x800]

A napari of its own is started as an icon would start it, and driven from outside by real events of
the X server (xdotool moves the pointer, presses buttons and keys) under a window manager. Inside it
a timer tells twice a tenth of a second what is on the screen and where; it does nothing else. A
click, a drag, a key and a typed path count as an action each. Seconds count from the start of the
process, the waiting for the models included. The phantom is simulated if it is in no cache.

Needs xdotool and openbox: xvfb-run -a -s "-screen 0 1280x800x24" python benchmarks/story.py
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

APPLICATION = """
import itertools, json, os, sys
import napari
from qtpy.QtCore import QPoint, QTimer
from qtpy.QtWidgets import QPushButton

beats = itertools.count()
viewer = napari.Viewer()
viewer.window.resize(*map(int, sys.argv[2].split("x")))
_, widget = viewer.window.add_plugin_dock_widget("napari-fetal-iqa")
viewer.window._qt_window.showMaximized()


opening = next(
    button
    for button in widget.welcome.findChildren(QPushButton)
    if button.text().startswith("Open a sweep")
)


def place(control):
    if not control.isVisible():
        return None
    point = control.mapToGlobal(control.rect().center())
    return [point.x(), point.y()]


def on_screen(world):
    camera, canvas = viewer.scene.camera, viewer.window._qt_viewer.canvas.native
    y, x = (world - camera.center[-2:]) * camera.zoom
    point = canvas.mapToGlobal(canvas.rect().center() + QPoint(round(x), round(y)))
    return [point.x(), point.y()]


def state():
    page, presenter = widget.page, widget.presenter
    told = {
        "phantom": place(widget.welcome.phantom),
        "open": place(opening),
        "next": place(page.frame.place),
        "circumference": page.frame.circumference.text() if page.isVisible() else "",
        "saved": page.saved.text() if page.isVisible() else "",
        "beat": next(beats),
    }
    if presenter is not None:
        session, layer = presenter.session, presenter.view.calipers.layer
        world = layer.data[-4:] * layer.scale + layer.translate
        image = widget.layer
        middle = image.translate[1:] + image.scale[1:] * [n / 2 for n in image.data.shape[1:]]
        told |= {
            "analysed": session.analysis is not None and session.analysis.complete,
            "frame": presenter.view.navigator.frame,
            "best": session.best_frame(),
            "tool": presenter.view.tool,
            "crosses": [on_screen(one) for one in world] if layer.visible else [],
            "middle": on_screen(middle),
        }
    temporary = sys.argv[1] + ".new"
    with open(temporary, "w") as file:
        json.dump(told, file)
    os.replace(temporary, sys.argv[1])


timer = QTimer()
timer.timeout.connect(state)
timer.start(50)
napari.run()
"""


STEADY = 20
"""Beats of the window's own timer in which a control must not have moved: the window manager is
done with the window, and the window with all that it does at its start."""


class Desk:
    """A window in another process: what it shows, and the hand that works in it."""

    def __init__(self, home: Path, size: str) -> None:
        self._told = home / "screen.json"
        environment = {**os.environ, "FETAL_IQA_HOME": str(home)}
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", APPLICATION, str(self._told), size], env=environment
        )
        self.actions = 0

    def state(self) -> dict:
        """Return what the window tells of itself."""
        try:
            return json.loads(self._told.read_text())
        except FileNotFoundError:
            return {}

    def until(
        self, seen: Callable[[dict], object], what: str, seconds: float = 600, tell: bool = True
    ) -> dict:
        """Wait as a person does: until something is seen."""
        end = time.perf_counter() + seconds
        while not seen(state := self.state()):
            if self.process.poll() is not None or time.perf_counter() > end:
                raise SystemExit(f"never seen: {what}; last seen: {state}")
            time.sleep(0.05)
        if tell:
            print(f"  {time.perf_counter() - self.began:6.1f} s  {self.actions:2} actions  {what}")
        return state

    def steady(self, control: str, what: str) -> list[int]:
        """Wait until a control stands still, and return where."""
        place, since, beat = None, 0, 0
        while place is None or beat - since < STEADY:
            state = self.until(lambda told: told.get(control), what, tell=False)
            beat = state["beat"]
            if state[control] != place:
                place, since = state[control], beat
            time.sleep(0.05)
        self.until(lambda told: True, what)
        return place

    def do(self, *arguments: object) -> None:
        """Do one action with mouse or keyboard."""
        subprocess.run(["xdotool", *map(str, arguments)], check=True)
        self.actions += 1

    def click(self, place: list[int]) -> None:
        """Click somewhere."""
        self.do("mousemove", *place, "sleep", 0.1, "click", 1)

    def drag(self, begin: list[int], end: list[int]) -> None:
        """Drag from one place to another, by way of the middle."""
        middle = [(a + b) // 2 for a, b in zip(begin, end, strict=True)]
        steps: list[object] = ["mousemove", *begin, "sleep", 0.1, "mousedown", 1]
        for place in (middle, end):
            steps += ["sleep", 0.1, "mousemove", *place]
        self.do(*steps, "sleep", 0.1, "mouseup", 1)


def has_ac(state: dict) -> bool:
    """Whether a circumference can be read."""
    return " mm" in state.get("circumference", "")


def saved(state: dict) -> bool:
    """Whether a correction is on disk."""
    text = state.get("saved", "")
    return "1 frame corrected" in text and text.endswith("saved")


def mend(desk: Desk) -> None:
    """Draw one diameter of the ellipse longer."""
    if desk.state()["tool"] != "ellipse":
        desk.do("key", "l")
    state = desk.until(lambda told: told["tool"] == "ellipse" and told["crosses"], "ellipse")
    before = state["circumference"]
    begin, other = state["crosses"][0], state["crosses"][1]
    end = [a + (a - b) // 12 for a, b in zip(begin, other, strict=True)]
    desk.drag(begin, end)
    desk.until(
        lambda told: saved(told) and has_ac(told) and told["circumference"] != before,
        "one outline mended, and saved",
    )


def draw(desk: Desk) -> None:
    """Draw an ellipse where no model outlined anything."""
    desk.do("key", "l")
    state = desk.until(lambda told: told["tool"] == "ellipse", "ellipse")
    x, y = state["middle"]
    desk.drag([x - 90, y], [x + 90, y])
    desk.drag([x, y - 70], [x, y + 70])
    desk.until(lambda told: saved(told) and has_ac(told), "one outline drawn, and saved; AC read")


def go_to_best(desk: Desk) -> None:
    """Go to the best frame, and again where a better one is found meanwhile."""
    best = None
    while best != (now := desk.state()["best"]):
        best = now
        desk.do("key", "b")
        desk.until(
            lambda told: told["best"] != best or (told["frame"] == best and has_ac(told)),  # noqa: B023
            "the best frame so far",
        )
    desk.until(has_ac, "AC read")


def phantom_story(desk: Desk) -> None:
    """Try the phantom."""
    desk.click(desk.steady("phantom", "the empty page"))
    desk.until(lambda told: told.get("next"), "first frame")
    desk.until(lambda told: told.get("best", -1) >= 0 and told.get("tool"), "a best frame")
    go_to_best(desk)
    mend(desk)


def file_story(desk: Desk, sweep: Path) -> None:
    """Open a file and type its path; its outline is drawn by hand, for it shows no abdomen."""
    desk.click(desk.steady("open", "the empty page"))
    dialog = ["xdotool", "search", "--name", "^Open a sweep"]
    active = ["xdotool", "getactivewindow", "getwindowname"]
    while not subprocess.run(active, capture_output=True, text=True, check=False).stdout.startswith(
        "Open a sweep"
    ):
        time.sleep(0.05)
    time.sleep(1)  # a person looks; the field has the focus a moment after the window
    desk.do("type", "--delay", "20", str(sweep))
    # the first Enter may go to the names that the dialog proposes
    while not subprocess.run(dialog, stdout=subprocess.DEVNULL, check=False).returncode:
        subprocess.run(["xdotool", "key", "Return"], check=True)
        time.sleep(0.5)
    desk.until(lambda told: told.get("tool"), "first frame, ready to be corrected")
    draw(desk)
    mend(desk)


def main() -> None:
    """Print the stories."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", type=Path, help="also the story of this file")
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--no-phantom", action="store_true", help="leave its story out")
    options = parser.parse_args()
    stories: dict[str, Callable[[Desk], None]] = {}
    if not options.no_phantom:
        stories["the phantom"] = phantom_story
    if options.sweep:
        path = options.sweep.resolve()
        stories[path.name] = lambda desk: file_story(desk, path)
    manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
    try:
        for name, story in stories.items():
            print(f"{name}, window {options.size}, load {os.getloadavg()[0]:.1f}")
            with tempfile.TemporaryDirectory() as home:
                desk = Desk(Path(home), options.size)
                try:
                    story(desk)
                    seconds = time.perf_counter() - desk.began
                    print(f"  {desk.actions} actions, {seconds:.1f} s\n")
                finally:
                    desk.process.kill()
                    desk.process.wait()
    finally:
        manager.terminate()


if __name__ == "__main__":
    main()
