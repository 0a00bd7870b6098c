"""Seconds to simulate one phantom case in the ACOUSLIC layout, 840 frames of 562 x 744.

Prints a table: wall and processor seconds on all cores of this machine. Then seconds until the demo
phantom, which the window opens, has its first frame: simulated, and from the cache.

    python benchmarks/phantom_time.py [--runs N]
"""

import argparse
import os
import tempfile
import time

from napari_fetal_iqa.contributions.sample_data import demo_sweep, demo_sweep_at_once
from napari_fetal_iqa.phantom import make_phantom


def measure(seed: int) -> tuple[float, float]:
    """Return the wall and the processor seconds of one case."""
    wall, processor = time.perf_counter(), time.process_time()
    make_phantom(seed=seed)
    return time.perf_counter() - wall, time.process_time() - processor


def first_frame() -> float:
    """Return the seconds until the demo phantom has its first frame."""
    started = time.perf_counter()
    sweep = demo_sweep_at_once()
    _ = sweep.frames[0]
    return time.perf_counter() - started


def main(runs: int) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    print("seed  wall s  processor s")
    for seed in range(runs):
        wall, processor = measure(seed)
        print(f"{seed:4}  {wall:6.1f}  {processor:11.1f}")
    with tempfile.TemporaryDirectory() as home:
        os.environ["FETAL_IQA_HOME"] = home
        simulated = min(first_frame() for _ in range(3))
        demo_sweep()
        cached = min(first_frame() for _ in range(3))
    print(f"demo phantom, first frame: simulated {simulated:.2f} s, from the cache {cached:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    main(parser.parse_args().runs)
