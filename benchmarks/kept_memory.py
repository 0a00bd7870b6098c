"""Time of a network on the CPU, with memory that is freed kept or given back, in one run.

    python benchmarks/kept_memory.py [--encoder sononet16] [--frames 16] [--runs 3]

Kept is how the program computes on the CPU (``fetal_iqa_models.memory.keep_freed_memory``), given
back is torch as it comes. Each runs in a process of its own; seconds are of the processor, on one
core, the fastest of the runs.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import torch

from fetal_iqa_models import FrameSegmenter, load_encoder
from fetal_iqa_models.memory import keep_freed_memory


def measured(arguments):
    """Seconds of a training step and of a prediction, and the process's peak of memory in MB."""
    torch.set_num_threads(1)
    network = FrameSegmenter(load_encoder(arguments.encoder))
    size = network.encoder.spec.image_size
    frames = torch.randn(arguments.frames, 3, size, size)

    def step():
        network.train()(frames).mean().backward()

    def predict():
        with torch.inference_mode():
            network.eval()(frames)

    seconds = {work.__name__: fastest(work, arguments.runs) for work in (step, predict)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {**seconds, "peak": peak}


def fastest(work, runs):
    """Least seconds of the processor that the work takes, after once for warmth."""
    work()
    return min(timed(work) for _ in range(runs))


def timed(work):
    """Seconds of the processor that the work takes."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main():
    """Measure each way in a process of its own and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="sononet16")
    parser.add_argument("--frames", type=int, default=16, help="of a batch")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--way", choices=["kept", "given back"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        if arguments.way == "kept":
            keep_freed_memory()
        print(json.dumps(measured(arguments)))
        return
    results = {}
    for way in ("given back", "kept"):
        command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
        results[way] = json.loads(subprocess.check_output(command))
    for what, unit in (("step", "s"), ("predict", "s"), ("peak", "MB")):
        back, kept = (results[way][what] for way in ("given back", "kept"))
        print(f"{what}: given back {back:.2f} {unit}, kept {kept:.2f} {unit}, {kept / back:.2f}")


if __name__ == "__main__":
    main()
