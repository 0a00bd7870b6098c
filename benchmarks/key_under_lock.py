"""What a key that labels costs while another program holds the corrections store locked.

    python benchmarks/key_under_lock.py [--keys 60]

A phantom on the review, and a second connection to the store, which in turn holds an exclusive lock
and lets it go. Measured of each key (an event of Qt's own, sent to the window, each on another
frame): until the window has taken it, and the longest turn of Qt's loop in the second after it,
in which the panel is drawn and saving is tried again. At the end nothing may be unsaved. Needs a
screen: xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/key_under_lock.py
"""

import argparse
import os
import sqlite3
import tempfile
import time

import numpy as np
from scrub import SIZE, activate, settle

AFTER = 1.0
"""Seconds after each key in which the turns of the loop are timed."""


def longest_turn(seconds: float) -> float:
    """Return the longest turn of Qt's loop within some time."""
    from qtpy.QtWidgets import QApplication

    longest, end = 0.0, time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        QApplication.processEvents()
        longest = max(longest, time.perf_counter() - began)
    return longest


def label_keys(widget, lock, keys: int) -> dict[str, tuple[list[float], list[float]]]:
    """Time keys with and without the lock, in turn."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    window = widget.viewer.window._qt_window
    activate(widget.viewer)
    times: dict[str, tuple[list[float], list[float]]] = {"free": ([], []), "locked": ([], [])}
    for number in range(2 * keys):
        state = ("free", "locked")[number % 2]
        passes, frame = divmod(number, len(widget.presenter.session.sweep))
        key = (Qt.Key.Key_1, Qt.Key.Key_2)[passes % 2]  # another label than the frame has
        widget.presenter.actions.go(frame)
        settle(lambda: not widget.first_paint.missing, seconds=0.3)
        settle(lambda: widget.keeper.complete, seconds=0)
        if state == "locked":
            lock.execute("BEGIN EXCLUSIVE")
        began = time.perf_counter()
        QTest.keyClick(window, key)
        taken, after = times[state]
        taken.append(time.perf_counter() - began)
        after.append(longest_turn(AFTER))
        if widget.presenter.session.corrections()[frame].label != 1 + passes % 2:
            raise SystemExit(f"the key was not taken: {widget.page.analysis.error.text()}")
        if state == "locked":
            lock.execute("ROLLBACK")
    settle(lambda: widget.keeper.complete)
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=60, help="with the lock, and as many without")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["FETAL_IQA_HOME"] = home
        import napari

        from napari_fetal_iqa.contributions.layers import sweep_layer
        from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
        from napari_fetal_iqa.storage import paths
        from napari_fetal_iqa.storage.settings import Settings
        from napari_fetal_iqa.widgets import ReviewWidget

        viewer = napari.Viewer(show=False)
        viewer.window.resize(*SIZE)
        viewer.show()
        widget = ReviewWidget(viewer, settings=Settings(reviewer="AK", analyse_on_open=False))
        viewer.window.add_dock_widget(widget, name="Fetal IQA review", area="right")
        data, attributes, _ = sweep_layer(make_phantom(PhantomSettings.small(), seed=3).sweep)
        viewer.add_image(data, **attributes)
        settle(lambda: widget.presenter is not None)
        lock = sqlite3.connect(paths.default_store(), isolation_level=None)
        times = label_keys(widget, lock, options.keys)
        lock.close()
        widget.shut_down()
        viewer.close()
        settle()
    print(f"{options.keys} keys each, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("the store   key taken: median   95 % ms   longest turn after: median   95 % ms")
    for state, (taken, after) in times.items():
        key, tail = np.percentile(1e3 * np.array(taken), [50, 95])
        turn, worst = np.percentile(1e3 * np.array(after), [50, 95])
        print(f"{state:9} {key:20.1f} {tail:9.1f} {turn:28.1f} {worst:9.1f}")


if __name__ == "__main__":
    main()
