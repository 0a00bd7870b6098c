"""Seconds to simulate one phantom case in the ACOUSLIC layout, 840 frames of 562 x 744.

Prints a table: wall and processor seconds on all cores of this machine.

    python benchmarks/phantom_time.py [--runs N]
"""

import argparse
import os
import time

from napari_fetal_iqa.phantom import make_phantom


def measure(seed: int) -> tuple[float, float]:
    """Return the wall and the processor seconds of one case."""
    wall, processor = time.perf_counter(), time.process_time()
    make_phantom(seed=seed)
    return time.perf_counter() - wall, time.process_time() - processor


def main(runs: int) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
    print("seed  wall s  processor s")
    for seed in range(runs):
        wall, processor = measure(seed)
        print(f"{seed:4}  {wall:6.1f}  {processor:11.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    main(parser.parse_args().runs)
