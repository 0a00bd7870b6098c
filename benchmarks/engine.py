"""OpenVINO against torch on the CPU: from process start to the first score, and a whole sweep.

    python benchmarks/engine.py [--cls demo-cls] [--seg demo-seg] [--frames 120] [--runs 3]

Both engines analyse the same phantom (562 x 744) with the same two models, each in a process of its
own, and outline every frame; the plain way is torch in float32, one frame at a time; the last row
is OpenVINO with the cascade, as in the window. All compute in float32, and every frame.
Where the seconds go is told by stage, in milliseconds a frame; the rest is waiting and reading.
Caches of compiled graphs are filled first. Seconds are of wall time, the fastest of the runs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

ANALYSE = """
import json, resource, sys, time
begun = time.time()
from napari_fetal_iqa.analysis.analyser import Analyser
from napari_fetal_iqa.io import read_sweep

path, engine, cls, seg, frames = sys.argv[1:]
sweep = read_sweep(path)
plain, cascade = engine == "plain", engine == "cascade"
analyser = Analyser(
    cls,
    seg,
    "cpu",
    batch_size=1 if plain else None,
    engine={"plain": "torch", "cascade": "openvino"}.get(engine, engine),
    precision="auto" if plain or engine == "torch" else "float32",
    cascade="auto" if cascade else "off",
)
batches = analyser.run(sweep, range(int(frames)))
next(batches)
first = time.time()
analysed, stages = 0, {}
for results in batches:
    analysed += len(results.frames)
    for stage, seconds in results.seconds.items():
        stages[stage] = stages.get(stage, 0) + seconds
print(json.dumps({
    "stages": {stage: 1000 * seconds / analysed for stage, seconds in stages.items()},
    "first": first - begun,
    "rate": analysed / (time.time() - first),
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    "torch": "torch" in sys.modules,
}))
"""

_WITHOUT_LIMITS = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}


def analysed(engine, arguments, sweep, home):
    """Seconds to the first score, frames a second after it, and memory, of a new process."""
    words = [sweep, engine, arguments.cls, arguments.seg, str(arguments.frames)]
    done = subprocess.run(
        [sys.executable, "-c", ANALYSE, *words],
        capture_output=True,
        text=True,
        check=True,
        # all cores for both: OpenVINO asks nobody how many it may take
        env={**_WITHOUT_LIMITS, "FETAL_IQA_HOME": home},
    )
    return json.loads(done.stdout)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cls", default="demo-cls")
    parser.add_argument("--seg", default="demo-seg")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        case = make_phantom(PhantomSettings(), seed=1)
        write_volume(f"{home}/case.mha", case.sweep.frames, case.sweep.spacing_mm)
        analysed("openvino", arguments, f"{home}/case.mha", home)
        runs = [
            {
                engine: analysed(engine, arguments, f"{home}/case.mha", home)
                for engine in ("plain", "torch", "openvino", "cascade")
            }
            for _ in range(arguments.runs)
        ]
    print(f"{'engine':10} {'first score':>12} {'frames a second':>16} {'peak memory':>12}  torch")
    best = {}
    for engine in runs[0]:
        found = [run[engine] for run in runs]
        best[engine] = {
            "first": min(one["first"] for one in found),
            "rate": max(one["rate"] for one in found),
            "peak": min(one["peak"] for one in found),
        }
        row = best[engine]
        print(
            f"{engine:10} {row['first']:10.2f} s {row['rate']:16.1f} {row['peak']:9.0f} MB  "
            f"{'imported' if found[0]['torch'] else 'not imported'}"
        )
    for engine in runs[0]:
        stages = max((run[engine] for run in runs), key=lambda one: one["rate"])["stages"]
        told = ", ".join(f"{stage} {ms:.1f}" for stage, ms in stages.items())
        print(f"{engine:10} ms a frame: {told}")
    for name, other in (("openvino", "plain"), ("openvino", "torch"), ("cascade", "plain")):
        ours, theirs = best[name], best[other]
        print(
            f"{name} against {other}: first score {theirs['first'] / ours['first']:.1f} x "
            f"sooner, "
            f"{ours['rate'] / theirs['rate']:.1f} x the frames a second, "
            f"{ours['peak'] / theirs['peak']:.2f} of the memory"
        )


if __name__ == "__main__":
    main()
