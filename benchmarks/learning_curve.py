"""The learning curve of fine-tuning: few corrected frames of a scanner unknown to the model.

    python benchmarks/learning_curve.py [--frames 5 10 20 40 80] [--seeds 0 1 2] [--out FOLDER]

A simulated expert, who is the phantoms' truth, corrects frames of four sweeps of a coarse and
glaring scanner, through the same store as the window: either those that the window suggests, as
many of each sweep and in its order, or frames drawn at random. The demo models are fine-tuned on
them with a preset and judged on other phantoms of that scanner, and on phantoms of the scanner
that they were trained on, which shows what they forget. Each seed has phantoms of its own. A third
of the frames to choose from show the abdomen; with --field they are as many as in blind sweeps and
one in forty shows it, so that random frames hardly ever do.
Finished runs are kept in the folder; the same command goes on. Prints a table and draws the
picture.
"""

import argparse
import json
import logging
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from fetal_iqa_training.data.phantoms import reference_phantoms
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import evaluate
from fetal_iqa_training.fitting.finetune import finetune
from fetal_iqa_training.settings import PRESETS, FinetuneSettings, preset_of
from napari_fetal_iqa.analysis import analyse_sweep
from napari_fetal_iqa.analysis.candidates import candidates
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.acouslic import write_case
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.storage.paths import remember_location

POOL, TEST = 4, 3
POLICIES = ("suggested", "random")
_SHIFTED = PhantomSettings.small().shifted()
SETTINGS = replace(
    _SHIFTED,
    frames_per_sweep=20,
    gain_db=_SHIFTED.gain_db + 6,
    dynamic_range_db=_SHIFTED.dynamic_range_db * 0.7,
    speckle_size=_SHIFTED.speckle_size * 1.5,
    shadow=2.5,
    noise_db=_SHIFTED.noise_db + 8,
)
"""A scanner still further from the one that the demo models know: the shifted one alone costs few
outlines (Dice 0.91)."""
FIELD = replace(SETTINGS, frames_per_sweep=140, positive_fraction=0.026)
"""The same scanner in the field: 840 frames a case, of which one in forty shows the abdomen."""
METRICS = {
    "cls": (("f1", "CLS F1"), ("average_precision", "CLS average precision")),
    "seg": (("dice", "SEG Dice"), ("circumference_error_mm", "AC error, mm")),
}


class Scanner:
    """The phantoms of one seed: sweeps to correct, and a data set to be judged by."""

    def __init__(self, seed: int, folder: Path, pool: PhantomSettings) -> None:
        self.folder = folder
        first = 500_000 + 100 * seed
        self.pool = [make_phantom(pool, first + number) for number in range(POOL)]
        self.paths = []
        for number, case in enumerate(self.pool):
            path = folder / f"sweep{number}.mha"
            if not path.exists():
                write_volume(path, case.sweep.frames, case.sweep.spacing_mm)
            self.paths.append(path)
        self.test = folder / "test"
        if not self.test.exists():
            for number in range(TEST):
                case = make_phantom(SETTINGS, first + POOL + number)
                ac_mm = [
                    float(np.median(case.ac_mm[start:stop][case.labels[start:stop] > 0]))
                    if (case.labels[start:stop] > 0).any()
                    else None
                    for start, stop in case.sweep.bounds
                ]
                write_case(self.test, f"case{number}", case.sweep, case.masks, ac_mm, f"{number}")

    def suggested(self, count: int) -> list[tuple[int, int]]:
        """Take turns at the sweeps, each in the order in which the window suggests its frames."""
        orders = []
        for path in self.paths:
            sweep = read_sweep(path)
            analysis = analyse_sweep(sweep, device="cpu", use_cache=False)
            orders.append(candidates(analysis, np.zeros(len(sweep), bool), sweep.bounds))
        turns = [
            (number, order[place])
            for place in range(max(map(len, orders)))
            for number, order in enumerate(orders)
            if place < len(order)
        ]
        return turns[:count]

    def random(self, count: int, seed: int) -> list[tuple[int, int]]:
        """Draw frames of all sweeps."""
        every = [(n, f) for n, case in enumerate(self.pool) for f in range(len(case.sweep))]
        drawn = np.random.default_rng(seed).permutation(len(every))[:count]
        return [every[number] for number in drawn]

    def correct(self, frames: list[tuple[int, int]], path: Path) -> None:
        """Store the true labels and outlines of frames, as an expert's corrections."""
        path.unlink(missing_ok=True)
        sweeps = [read_sweep(sweep_path) for sweep_path in self.paths]
        with CorrectionStore(path) as store:
            for sweep, sweep_path in zip(sweeps, self.paths, strict=True):
                remember_location(sweep.identity, sweep_path)
                store.add_sweep(sweep)
            for number, frame in frames:
                case, identity = self.pool[number], sweeps[number].identity
                store.set_label(identity, frame, Label(int(case.labels[frame])), "truth")
                store.set_mask(identity, frame, case.masks[frame] > 0, "truth")


def metrics_on(model: Path | str, scanner: Scanner) -> dict[str, float]:
    """Metrics of a model on the test phantoms of a scanner."""
    found = dict(evaluate(model, scanner.test, device="cpu").metrics)
    return {name: float(value) for name, value in found.items()}


def run(scanner: Scanner, task: str, frames: list, preset: str, seed: int, out: Path) -> dict:
    """Fine-tune on some frames; return the metrics of the child, and what it forgot."""
    store = out.with_suffix(".sqlite")
    scanner.correct(frames, store)
    settings = FinetuneSettings(task=task, seed=seed, device="cpu", **preset_of(preset, task))
    started = time.perf_counter()
    card = finetune([store], f"demo-{task}", out, settings)
    seconds = time.perf_counter() - started
    reference = card.metrics["child"]["reference"]
    parent = card.metrics["parent"]["reference"]
    main = "f1" if task == "cls" else "dice"
    return {
        "positives": card.training["positives"],
        "seconds": round(seconds, 1),
        "shifted": metrics_on(out, scanner),
        "reference": {main: reference[main], "f1": reference["f1"]},
        "forgotten": parent[main] - reference[main],
    }


def main() -> None:
    """Run what is not there yet, print the table, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[5, 10, 20, 40, 80])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--field", action="store_true", help="one frame in forty with an abdomen")
    parser.add_argument("--preset", default="quick", choices=PRESETS)
    parser.add_argument("--tasks", nargs="+", default=["cls", "seg"])
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=POLICIES)
    parser.add_argument("--out", type=Path, help="learning-curve, or learning-curve-field")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--only-table", action="store_true")
    options = parser.parse_args()
    options.out = options.out or Path("learning-curve" + "-field" * options.field)
    logging.getLogger("napari_fetal_iqa").setLevel(logging.ERROR)
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.only_table:
        reference_phantoms()
        for seed in options.seeds:
            run_seed(seed, options)
    results = {p.stem: json.loads(p.read_text()) for p in sorted(options.out.glob("*.json"))}
    print_table(results)
    if options.picture:
        draw(results, options.picture)


def run_seed(seed: int, options: argparse.Namespace) -> None:
    folder = options.out / f"seed{seed}"
    folder.mkdir(exist_ok=True)
    scanner = Scanner(seed, folder, FIELD if options.field else SETTINGS)
    most = max(options.frames)
    choose = {"suggested": scanner.suggested, "random": lambda most: scanner.random(most, seed)}
    chosen = {policy: choose[policy](most) for policy in options.policies}
    for task in options.tasks:
        base = options.out / f"{task}-base-0-{seed}.json"
        if not base.exists():
            base.write_text(json.dumps({"shifted": metrics_on(f"demo-{task}", scanner)}))
    for count in options.frames:
        for task in options.tasks:
            for policy in options.policies:
                name = f"{task}-{policy}-{count}-{seed}"
                path = options.out / f"{name}.json"
                if path.exists():
                    continue
                try:
                    found = run(
                        scanner, task, chosen[policy][:count], options.preset, seed, folder / name
                    )
                except TrainingError as error:  # too few of a kind: the model stays as it is
                    found = {"refused": str(error)}
                path.write_text(json.dumps(found))
                print(name, json.dumps(found), flush=True)


def gathered(results: dict, task: str, policy: str, metric: str) -> dict[int, list[float]]:
    """Values of a metric by the number of frames; the base's where fine-tuning was refused."""
    values: dict[int, list[float]] = {}
    for name, found in results.items():
        of_task, of_policy, count, seed = name.split("-")
        if of_task == task and of_policy in (policy, "base"):
            kept = results[f"{task}-base-0-{seed}"] if "refused" in found else found
            if metric == "forgotten":
                value = found.get("forgotten", 0.0)
            else:
                value = kept["shifted"].get(metric)
            if value is not None:
                values.setdefault(int(count), []).append(value)
    return dict(sorted(values.items()))


def print_table(results: dict) -> None:
    print(f"{'':24}{'frames':>7}" + "".join(f"{policy:>26}" for policy in POLICIES))
    for task, metrics in METRICS.items():
        for metric, title in (*metrics, ("forgotten", f"{task} forgotten")):
            columns = [gathered(results, task, policy, metric) for policy in POLICIES]
            for count in sorted(set().union(*columns)):
                cells = [
                    f"{statistics.mean(v):z.3f} ({min(v):z.3f}..{max(v):z.3f})" if v else ""
                    for v in (column.get(count, []) for column in columns)
                ]
                print(f"{title:24}{count:7}" + "".join(f"{cell:>26}" for cell in cells))


def draw(results: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from napari_fetal_iqa import colours

    panels = [
        (task, *metric)
        for task, metrics in METRICS.items()
        for metric in (*metrics, ("forgotten", f"{task.upper()} forgotten"))
    ]
    counts = sorted({int(name.split("-")[2]) for name in results})
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    for axis, (task, name, title) in zip(axes.flat, panels, strict=True):
        for policy, colour, mark in zip(
            POLICIES, (colours.EXPERT, colours.MODEL), "os", strict=True
        ):
            values = gathered(results, task, policy, name)
            places = [counts.index(count) for count in values]
            means = [statistics.mean(of_count) for of_count in values.values()]
            axis.plot(places, means, marker=mark, color=colour, label=policy)
            for place, of_count in zip(places, values.values(), strict=True):
                axis.plot([place] * len(of_count), of_count, ".", color=colour, alpha=0.4)
        axis.set_xticks(range(len(counts)), counts)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("corrected frames")
    axes.flat[0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()
