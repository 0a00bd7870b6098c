"""How early the best frame is known by search, coarse to fine, in order; what a cascade spares.

    python benchmarks/search.py [--cases 8] [--seed 6000] [--calibrate]

Phantom cases with as little abdomen as blind sweeps show (840 frames, 2.6 % of them), a quarter of
the rows and columns, are analysed whole by the demo models, once: what came of it is kept in the
cache's folder. Then the orders are replayed in batches of 8. "Known" is the best frame
so far from when on it stays within 3 frames of the final one. A pass is one frame through
one network. ``--calibrate`` prints the table of ``analysis/certainty.py`` instead, from cases of
other seeds than those that are measured (by default from 5000 on).

A case takes about half a minute on two free cores; 8 cases stay under 5 minutes.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models import resolve_model
from fetal_iqa_models.cascade_bound import load_bound
from napari_fetal_iqa.analysis import Analyser, FrameQueue, analyse_sweep, coarse_to_fine
from napari_fetal_iqa.analysis.best_frame import best_frame
from napari_fetal_iqa.analysis.certainty import NEAR_FRAMES, SHARES, place
from napari_fetal_iqa.analysis.frame_order import LEAST_PROMISE
from napari_fetal_iqa.analysis.promise import promise, worth_of
from napari_fetal_iqa.analysis.result import FrameResults, Thresholds
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.storage import paths

MEASURED, CALIBRATED = 6000, 5000
BATCH = 8
SETTINGS = PhantomSettings(shape=(141, 186), spacing_mm=(1.12, 1.12))


@dataclass
class Case:
    """The whole analysis of a phantom, and the truth."""

    quality: NDArray[np.float32]
    area: NDArray[np.float32]
    ac_mm: NDArray[np.float64]
    labels: NDArray[np.uint8]
    bounds: list[tuple[int, int]]
    thresholds: Thresholds
    seconds: NDArray[np.float64]

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Frames that both networks find."""
        return (self.quality > self.thresholds.quality) & (self.area >= self.thresholds.area)

    def best(self, seen: NDArray[np.bool_] | bool = True) -> int:
        """Return the best of the frames that were seen."""
        score = np.where(seen, self.quality, np.nan)
        return best_frame(score, self.positive & seen, self.bounds)

    def results(self, frames: Sequence[int]) -> FrameResults:
        """Return what the networks say of some frames."""
        at = np.asarray(frames, np.int64)
        n = len(at)
        return FrameResults(
            at, self.quality[at], self.area[at], None, self.ac_mm[at], np.ones(n, bool), {}
        )


def cases_of(folder: Path, count: int, first: int) -> Iterator[Case]:
    """Read the cases that are kept; make those that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    analyser = Analyser("demo-cls", "demo-seg", "cpu", batch_size=16)
    for seed in range(first, first + count):
        path = folder / f"{seed}.npz"
        if not path.exists():
            print(f"phantom {seed}…", flush=True)
            phantom = make_phantom(SETTINGS, seed)
            found = analyse_sweep(phantom.sweep, analyser=analyser, use_cache=False)
            thresholds = found.setup.thresholds
            np.savez(
                path,
                quality=found.quality,
                area_fraction=found.area_fraction,
                ac_mm=found.ac_mm,
                labels=phantom.labels,
                bounds=np.array(phantom.sweep.bounds),
                thresholds=np.array([thresholds.quality, thresholds.area]),
                seconds=np.array([found.seconds["cls"], found.seconds["seg"]]),
            )
        with np.load(path) as kept:
            yield Case(
                kept["quality"],
                kept["area_fraction"],
                kept["ac_mm"],
                kept["labels"],
                [(int(start), int(stop)) for start, stop in kept["bounds"]],
                Thresholds(*map(float, kept["thresholds"])),
                kept["seconds"],
            )


def searched(case: Case) -> list[int]:
    queue = FrameQueue(len(case.quality), None, case.bounds)
    order: list[int] = []
    while taken := queue.take(BATCH):
        order += taken
        queue.note(case.results(taken), case.thresholds)
    return order


def right_after(case: Case, order: Sequence[int]) -> NDArray[np.bool_]:
    """Return whether the best frame is the final one, after each frame of an order."""
    final, seen, right = case.best(), np.zeros(len(order), bool), []
    for frame in order:
        seen[frame] = True
        now = case.best(seen)
        right.append(now >= 0 and abs(now - final) <= NEAR_FRAMES if final >= 0 else now < 0)
    return np.array(right)


def known_after(right: NDArray[np.bool_]) -> int:
    wrong = np.flatnonzero(~right)
    return int(wrong[-1]) + 2 if len(wrong) else 1


def calibrate(cases: Sequence[Case]) -> None:
    counted: dict[tuple[bool, int], list[float]] = {}
    for case in cases:
        if case.best() < 0:
            continue
        order = searched(case)
        right = right_after(case, order)
        seen, worth = np.zeros(len(order), bool), np.full(len(order), np.nan)
        states: dict[tuple[bool, int], list[bool]] = {}
        for start in range(0, len(order) - BATCH, BATCH):
            frames = order[start : start + BATCH]
            seen[frames] = True
            worth[frames] = worth_of(case.results(frames), case.thresholds)
            if case.best(seen) < 0:
                continue
            settled = bool(promise(worth, case.bounds).max() < LEAST_PROMISE)
            states.setdefault(place(settled, float(seen.mean())), []).append(
                bool(right[start + BATCH - 1])
            )
        for at, were in states.items():
            counted.setdefault(at, []).append(float(np.mean(were)))
    print(f"{len(cases)} cases")
    for settled in (False, True):
        row = [counted.get((settled, column), []) for column in range(len(SHARES))]
        print(f"    {settled}: (" + ", ".join(f"({sum(r):.2f}, {len(r)})" for r in row) + "),")


def measure(cases: Sequence[Case]) -> None:
    total = len(cases[0].quality)
    prevalence = np.mean([(case.labels > 0).mean() for case in cases])
    print(f"{len(cases)} cases of {total} frames, {100 * prevalence:.1f} % with an abdomen\n")
    print("order           best frame known after 5 %   10 %   20 % of the frames; median   mean")
    orders = {
        "in order": lambda case: list(range(total)),
        "coarse to fine": lambda case: coarse_to_fine(total),
        "search": searched,
    }
    for name, order_of in orders.items():
        rights = [right_after(case, order_of(case)) for case in cases]
        after = [round(part * total) - 1 for part in (0.05, 0.1, 0.2)]
        shares = [np.mean([right[place] for right in rights]) for place in after]
        known = [100 * known_after(right) / total for right in rights]
        told = "   ".join(f"{100 * share:3.0f} %" for share in shares)
        print(f"{name:24} {told:>37}            {np.median(known):5.1f} %  {np.mean(known):5.1f} %")
    bound = load_bound(resolve_model("demo-cls"))
    if bound is not None:
        cascade(cases, bound.bound)


def cascade(cases: Sequence[Case], bound: float) -> None:
    total = len(cases[0].quality)
    seen = [case.quality >= bound for case in cases]
    truth = [case.labels > 0 for case in cases]
    missed = sum(int((t & ~s).sum()) for t, s in zip(truth, seen, strict=True))
    same = []
    for case, saw in zip(cases, seen, strict=True):
        kept = best_frame(case.quality, case.positive & saw, case.bounds)
        same.append(kept == case.best())
    spared = 1 - np.mean(seen)
    print(f"\ncascade from quality {bound:.3g} on: {100 * spared:.1f} % of the SEG passes spared,")
    print(f"{missed} of {sum(int(t.sum()) for t in truth)} frames with an abdomen not outlined,")
    print(f"the same best frame, so the same AC, in {sum(same)} of {len(cases)} cases")
    ratios = []
    at_a_tenth = []
    for case, saw in zip(cases, seen, strict=True):
        order = searched(case)
        right = right_after(case, order)
        passes = np.cumsum(1 + saw[order])
        ratios.append(passes[known_after(right) - 1] / (2 * total))
        tenth = int(np.searchsorted(passes, 0.1 * 2 * total, "right")) - 1
        at_a_tenth.append(right[tenth])
    print(
        f"CLS and SEG passes until the best frame is known, of those of a full pass ({2 * total}): "
        f"median {100 * np.median(ratios):.1f} %, mean {100 * np.mean(ratios):.1f} %; "
        f"within a tenth in {sum(ratio <= 0.1 for ratio in ratios)} of {len(cases)} cases"
    )
    print(f"after a tenth of the passes it is the final one in {sum(at_a_tenth)} of {len(cases)}")
    seconds = np.median([case.seconds for case in cases], axis=0) / total * 1e3
    print(f"a pass of the demo models here: CLS {seconds[0]:.1f} ms, SEG {seconds[1]:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--folder", type=Path, default=None, help="of the kept analyses")
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else CALIBRATED if asked.calibrate else MEASURED
    folder = asked.folder or paths.cache() / "benchmarks" / "search"
    cases = list(cases_of(folder, asked.cases, first))
    (calibrate if asked.calibrate else measure)(cases)


if __name__ == "__main__":
    main()
