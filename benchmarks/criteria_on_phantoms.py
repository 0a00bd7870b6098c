"""How well a head tells stomach, vein and kidneys on phantoms, where they are drawn and known.

    python benchmarks/criteria_on_phantoms.py [--subjects 100] [--model demo-cls] [--seed 0]

Simulated cases of a quarter of the size; every frame with an abdomen is judged by what is drawn in
it, the three criteria of which nothing is drawn by nobody. A fifth of the subjects teaches nothing
and judges, as in ``fetal-iqa-train criteria``. Minutes of one core.
"""

import argparse
import time

import numpy as np
import torch

from fetal_iqa_models import load_model
from fetal_iqa_training.data.judged_frames import JudgedFrames
from fetal_iqa_training.fitting.criteria import learn_criteria
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.phantom import PhantomSettings
from napari_fetal_iqa.phantom.simulation import Simulation


def judged(seed: int) -> JudgedFrames | None:
    """Simulate a case and judge its abdomens; None without one."""
    settings = PhantomSettings.small()
    simulation = Simulation(settings, seed)
    frames, met = [], []
    for index in range(settings.n_frames):
        verdicts = simulation.criteria(index)
        if verdicts:
            frames.append(simulation.render(index).pixels)
            met.append([verdicts.get(one, np.nan) for one in Criterion])
    if not frames:
        return None
    return JudgedFrames(str(seed), np.stack(frames), np.array(met, np.float32))


def main() -> None:
    """Simulate, learn, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--model", default="demo-cls")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = [case for seed in range(options.subjects) if (case := judged(seed)) is not None]
    print(f"{sum(len(case.frames) for case in cases)} frames of {len(cases)} subjects", flush=True)
    started = time.monotonic()
    _, results = learn_criteria(cases, load_model(options.model), options.seed, "cpu")
    print("| criterion | taught, met of all | judged | right | AUC |")
    print("|---|---|---|---|---|")
    for one in results:
        if one.taught:
            print(
                f"| {one.criterion.words.lower()} | {one.met} of {one.taught} | {one.judged} | "
                f"{one.accuracy:.0%} | {one.auc:.2f} |"
            )
    print(f"learnt in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
