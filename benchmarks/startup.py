"""What opening the review widget adds to the start of bare napari.

    python benchmarks/startup.py [--runs 5]

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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    bare, added, torch = [], [], set()
    for _ in range(parser.parse_args().runs):
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
