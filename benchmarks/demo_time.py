"""Wall time of ``napari-fetal-iqa demo``, from the command to the first score on the screen.

    python benchmarks/demo_time.py [--runs 3]

Runs the demo on whatever screen there is (a virtual one where there is none): with an empty cache,
so that the phantom is simulated and analysed, and again with both in the cache; then with the
phantom alone in it, timed from where the window asks for it. The alternative in the same run is
bare napari, from the command to its window. The best of the runs counts.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = (
    "import napari; from qtpy.QtCore import QTimer; viewer = napari.Viewer();"
    "QTimer.singleShot(0, lambda: (print('window', flush=True), viewer.close())); napari.run()"
)


def seconds_until(words: str, command: list[str], home: str, since: str = "") -> float:
    """Run a command to its end; return the seconds until some words are printed, since others."""
    started = time.perf_counter()
    environment = {**os.environ, "FETAL_IQA_HOME": home, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    seen = None
    for line in process.stdout:
        if since and since in line:
            started = time.perf_counter()
        if seen is None and words in line:
            seen = time.perf_counter() - started
    process.wait()
    if seen is None:
        raise SystemExit(f"{command} never printed {words!r}")
    return seen


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    fresh, cached, opened, bare = [], [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as home:
            picture = str(Path(home) / "demo.png")
            demo = [sys.executable, "-m", "napari_fetal_iqa", "demo", "--screenshot", picture]
            fresh.append(seconds_until("First score", demo, home))
            cached.append(seconds_until("First score", demo, home))
            shutil.rmtree(Path(home) / "cache" / "analyses")
            opened.append(seconds_until("First score", demo, home, since="Opening the phantom"))
            bare.append(seconds_until("window", [sys.executable, "-c", BARE], home))
    print(f"{'':36}{'seconds':>8}{'x bare':>8}")
    for name, seconds in (
        ("bare napari, to its window", min(bare)),
        ("demo to first score, nothing cached", min(fresh)),
        ("demo to first score, all cached", min(cached)),
        ("opening the phantom to first score", min(opened)),
    ):
        print(f"{name:36}{seconds:8.1f}{seconds / min(bare):8.1f}")


if __name__ == "__main__":
    main()
