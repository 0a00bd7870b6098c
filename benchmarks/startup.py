"""How soon the commands start, and what opening the review widget adds to bare napari.

    python benchmarks/startup.py [--runs 5] [--commands]

Of a command: the best wall time of the runs beyond a Python that does nothing; ``info`` of a
small sweep, which is read as well. With ``--commands`` that is all.

Each run, in a new process: open napari, wait until it is drawn, then add the widget as
``napari -w napari-fetal-iqa`` does and wait until all is drawn again. Says also whether torch was
imported. Needs a screen: xvfb-run -a -s "-screen 0 1920x1080x24" python benchmarks/startup.py
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

OPEN = """
import sys, time
from qtpy.QtWidgets import QApplication
start = time.perf_counter()
import napari
viewer = napari.Viewer()
for _ in range(20):
    QApplication.processEvents()
bare = time.perf_counter()
viewer.window.add_plugin_dock_widget("napari-fetal-iqa")
for _ in range(20):
    QApplication.processEvents()
done = time.perf_counter()
print(bare - start, done - bare, "torch" in sys.modules, flush=True)
import os
os._exit(0)
"""


def seconds(runs: int, *arguments: str) -> float:
    """Return the best wall time of a Python with these arguments."""
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begun)
    return min(times)


def time_commands(runs: int) -> None:
    """Print how soon the commands are ready, and how long ``info`` takes."""
    from napari_fetal_iqa.io import write_volume

    with tempfile.TemporaryDirectory() as folder:
        frames = np.full((10, 60, 80), 9, np.uint8)
        sweep = str(write_volume(Path(folder) / "case.mha", frames, (0.2, 0.3)))
        nothing = seconds(runs, "-c", "pass")
        print(f"Python itself             {nothing:5.2f} s")
        for words in (["--help"], ["info", "--help"], ["info", sweep]):
            beyond = seconds(runs, "-m", "napari_fetal_iqa", *words) - nothing
            print(f"{' '.join(words).replace(sweep, 'SWEEP'):26}{beyond:5.2f} s more")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--commands", action="store_true", help="no window")
    options = parser.parse_args()
    time_commands(options.runs)
    if options.commands:
        return
    bare, added, torch = [], [], set()
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "FETAL_IQA_HOME": home}
            done = subprocess.run(
                [sys.executable, "-c", OPEN],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            )
        first, second, imported = done.stdout.split()[-3:]
        bare.append(float(first))
        added.append(float(second))
        torch.add(imported)
    print(f"bare napari, drawn        {statistics.median(bare):5.2f} s")
    print(
        f"the review widget adds    {statistics.median(added):5.2f} s, "
        f"{statistics.median(added) / statistics.median(bare):.2f} of it"
    )
    print(f"torch imported: {', '.join(sorted(torch))}")


if __name__ == "__main__":
    main()
