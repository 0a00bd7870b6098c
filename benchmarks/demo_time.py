"""Wall time of ``napari-fetal-iqa demo``, from the command to the first score on the screen.

    python benchmarks/demo_time.py [--runs 3]

Runs the demo on whatever screen there is (a virtual one where there is none): once with an empty
cache, so that the phantom is simulated first, then with the phantom in the cache. The alternative
in the same run is bare napari, from the command to its window.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = (
    "import napari; from qtpy.QtCore import QTimer; viewer = napari.Viewer();"
    "QTimer.singleShot(0, lambda: (print('window', flush=True), viewer.close())); napari.run()"
)


def seconds_until(words: str, command: list[str], home: str) -> float:
    """Run a command to its end; give the seconds until it printed the words."""
    started = time.perf_counter()
    environment = {**os.environ, "FETAL_IQA_HOME": home, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    seen = None
    for line in process.stdout:
        if seen is None and words in line:
            seen = time.perf_counter() - started
    process.wait()
    if seen is None:
        raise SystemExit(f"{command} never said {words!r}")
    return seen


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as home:
        picture = str(Path(home) / "demo.png")
        demo = [sys.executable, "-m", "napari_fetal_iqa", "demo", "--screenshot", picture]
        first = seconds_until("First score", demo, home)
        again = min(seconds_until("First score", demo, home) for _ in range(runs))
        bare = min(seconds_until("window", [sys.executable, "-c", BARE], home) for _ in range(runs))
    print(f"{'':34}{'seconds':>8}{'x bare':>8}")
    for name, seconds in (
        ("bare napari, to its window", bare),
        ("demo, to the first score", again),
        ("demo, first run ever", first),
    ):
        print(f"{name:34}{seconds:8.1f}{seconds / bare:8.1f}")


if __name__ == "__main__":
    main()
