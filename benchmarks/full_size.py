"""The full-size tower (ViT-L/14, 304 M parameters) on the CPU: OpenVINO's precisions beside torch.

    python benchmarks/full_size.py --home DIR [--frames 12] [--task cls|seg] [--int8]

The weights are random, for speed and memory do not depend on them; so the gate, which would say
whether a precision may be used, is not asked. Model and graphs (4 GB) are made in DIR where they
are not there yet, which takes minutes and 7 GB of memory; int8 takes nncf. Each way runs in a
process of its own; the reference is torch in float32, eager, one frame at a time. Peak memory is
the process's resident set, mapped files included.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from fetal_iqa_models.compiled.graph_folder import (
    CompiledCard,
    CompiledModel,
    find_compiled,
    sha256_of,
)
from fetal_iqa_models.compiled.quantising import RUNGS, quantised
from fetal_iqa_models.compiled.timing import processor

MAKE = """
import sys
from pathlib import Path
import torch
from fetal_iqa_models import *
model, task = Path(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
network = (FrameClassifier if task == "cls" else FrameSegmenter)(load_encoder("fetalclip"))
save_model(network, model, ModelCard(
    name="random weights", task=task, encoder="fetalclip", encoder_weights="own", image_size=224))
"""

COMPILE = """
import sys
from pathlib import Path
from fetal_iqa_models import compile_model
compile_model(sys.argv[1], Path(sys.argv[2]))
"""

RUN = """
import json, pickle, resource, sys, time
import numpy as np
begun = time.perf_counter()
way, model, frames, graph, batch = sys.argv[1:]
images = np.random.default_rng(0).integers(0, 256, (int(frames), 562, 744), np.uint8)
if way.startswith("torch"):
    from fetal_iqa_models import FramePredictor, load_model
    network = load_model(model)
    task = {"cls": "classifier", "seg": "segmenter"}[network.card.task]
    predictor = FramePredictor(**{task: network}, device="cpu", batch_size=int(batch))
    del network
else:
    from fetal_iqa_models import CompiledPredictor
    compiled = pickle.load(open(graph, "rb"))
    predictor = CompiledPredictor(**{compiled.card.task: compiled}, batch_size=int(batch))
list(predictor.predict(images[:1]))
ready = time.perf_counter() - begun
begun = time.perf_counter()
list(predictor.predict(images))
print(json.dumps({
    "ready": ready,
    "rate": len(images) / (time.perf_counter() - begun),
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
}))
"""


def in_process(code, *words):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        # all cores for both: OpenVINO asks nobody how many it may take
        env={name: value for name, value in os.environ.items() if "NUM_THREADS" not in name},
    )
    return done.stdout


def made(home, task):
    """Return the float32 graph of a model with random weights."""
    model, graphs = home / f"random-{task}", home / "graphs"
    if not model.is_dir():
        in_process(MAKE, model, task)
    if find_compiled(model, graphs) is None:
        in_process(COMPILE, model, graphs)
    return model, find_compiled(model, graphs)


def int8_of(reference, home, task):
    """Return an int8 graph, calibrated on noise: as fast as one that would be used."""
    import numpy as np
    import openvino

    folder = home / f"int8-{task}"
    if not (folder / "graph.bin").is_file():
        folder.mkdir(exist_ok=True)
        frames = np.random.default_rng(0).integers(0, 256, (4, 562, 744), np.uint8)
        model = quantised(reference.folder / "graph.xml", list(frames), RUNGS[0])
        openvino.save_model(model, folder / "graph.xml", compress_to_fp16=False)
    card = CompiledCard(
        model=reference.compiled.model,
        precision="int8",
        graph=sha256_of(folder / "graph.xml"),
        weights=sha256_of(folder / "graph.bin"),
        made_with="a benchmark",
    )
    return CompiledModel(folder, reference.card, card)


def main():
    """Print the table."""
    import pickle

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--task", choices=("cls", "seg"), default="cls")
    parser.add_argument("--int8", action="store_true")
    arguments = parser.parse_args()
    arguments.home.mkdir(parents=True, exist_ok=True)
    model, reference = made(arguments.home, arguments.task)
    card = reference.compiled
    ways = {
        "torch, one by one": (None, 1),
        "torch, 8 at a time": (None, 8),
        "openvino float32": (reference, 8),
        "openvino bf16": (
            replace(reference, compiled=card.model_copy(update={"precision": "bf16"})),
            8,
        ),
    }
    if arguments.int8:
        ways["openvino int8"] = (int8_of(reference, arguments.home, arguments.task), 8)
    print(f"{processor()}; {arguments.task}, random weights, {arguments.frames} frames")
    print(f"{'way':20} {'ready':>8} {'frames a second':>16} {'peak memory':>12}")
    first = None
    for way, (compiled, batch) in ways.items():
        graph = arguments.home / "asked.pickle"
        graph.write_bytes(pickle.dumps(compiled))
        found = json.loads(in_process(RUN, way, model, arguments.frames, graph, batch))
        first = first or found
        print(
            f"{way:20} {found['ready']:6.1f} s {found['rate']:16.2f} {found['peak']:9.2f} GB  "
            f"{found['rate'] / first['rate']:.2f} x, {found['peak'] / first['peak']:.2f} of memory",
            flush=True,
        )


if __name__ == "__main__":
    main()
