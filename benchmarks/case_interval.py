"""How far the bundled models' case circumferences are off on phantoms, and what the interval holds.

    python benchmarks/case_interval.py [--cases 40] [--keep FOLDER] [--write]

Simulated cases in the layout of ACOUSLIC-AI (840 frames, few of them with an abdomen, a quarter of
the size) are analysed by the demo models. The true circumference of a case is the widest that a
sweep meets. The first half of the cases calibrates the interval (``--write`` keeps its scale in
the package, where reports take it from); the second half, and as many cases of a scanner that the
models do not know, tell how often the 90 % interval holds the truth. With ``--keep`` the analyses
are kept, and the same command goes on where it was ended.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHAPE, SPACING = (141, 186), (1.12, 1.12)


@dataclass(frozen=True)
class Case:
    """A case's frames as measured, and the truth."""

    frames: list
    truth_mm: float


def analysed(seed: int, shifted: bool, analyser, folder: Path | None) -> Case | None:
    """Simulate and analyse a case, or take it from the folder; None where no abdomen was met."""
    from napari_fetal_iqa.analysis import analyse_sweep
    from napari_fetal_iqa.phantom import PhantomSettings, make_phantom

    kept = folder / f"{'shifted-' if shifted else ''}{seed}.npz" if folder else None
    if kept is None or not kept.exists():
        settings = PhantomSettings(shape=SHAPE, spacing_mm=SPACING)
        case = make_phantom(settings.shifted() if shifted else settings, seed)
        analysis = analyse_sweep(case.sweep, analyser=analyser, use_cache=False)
        found = {
            "ac_mm": np.where(analysis.labels() == 1, analysis.ac_mm, np.nan),
            "true_mm": case.ac_mm,
            "bounds": np.array(case.sweep.bounds),
        }
        if kept is None:
            return as_case(found)
        np.savez(kept, **found)
    return as_case(np.load(kept))


def as_case(found) -> Case | None:
    """Turn arrays into the frames that count, and the widest true circumference."""
    from napari_fetal_iqa.review.examination.aggregate import FrameCircumference

    true_mm, ac_mm = found["true_mm"], found["ac_mm"]
    if not np.isfinite(true_mm).any():
        return None
    frames = [
        FrameCircumference((0, sweep, int(frame)), float(ac_mm[frame]))
        for sweep, (start, stop) in enumerate(found["bounds"])
        for frame in np.flatnonzero(np.isfinite(ac_mm[start:stop])) + start
    ]
    return Case(frames, float(np.nanmax(true_mm)))


def errors(cases: list[Case]) -> np.ndarray:
    """Return each case's error, as a share of the true circumference."""
    from napari_fetal_iqa.review.examination.aggregate import case_circumference

    found = ((case_circumference(case.frames), case.truth_mm) for case in cases)
    return np.array([one.circumference_mm / truth - 1 for one, truth in found if one is not None])


def calibrated(cases: list[Case]):
    """Return the error that makes the interval of cases like these."""
    from napari_fetal_iqa.review.examination.aggregate import ModelError

    count = len(errors(cases))
    known = [(case.frames, case.truth_mm) for case in cases]
    return ModelError.calibrated(known, f"{count} simulated cases")


def each_by_the_others(cases: list[Case]) -> str:
    """Say how often the interval holds the truth of each case where the others calibrate it."""
    from napari_fetal_iqa.review.examination.aggregate import case_circumference

    held = []
    for place, case in enumerate(cases):
        error = calibrated(cases[:place] + cases[place + 1 :])
        found = case_circumference(case.frames, error)
        if found is not None and found.interval_mm is not None:
            low, high = found.interval_mm
            held.append(low <= case.truth_mm <= high)
    return f"{sum(held)} of {len(held)} ({np.mean(held):.0%})"


def coverage(cases: list[Case], error) -> str:
    """Say how often the interval holds the truth."""
    from napari_fetal_iqa.review.examination.aggregate import case_circumference

    held, width = [], []
    for case in cases:
        found = case_circumference(case.frames, error)
        if found is not None and found.interval_mm is not None:
            low, high = found.interval_mm
            held.append(low <= case.truth_mm <= high)
            width.append((high - low) / 2)
    half = np.median(width)
    missed = len(cases) - len(held)
    return (
        f"{sum(held)} of {len(held)} ({np.mean(held):.0%}), half its width {half:.1f} mm; "
        f"nothing found in {missed}"
    )


def main() -> None:
    """Simulate, analyse, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cases", type=int, default=40, help="Of each half and of the other scanner."
    )
    parser.add_argument("--seed", type=int, default=70_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    from napari_fetal_iqa.analysis import Analyser
    from napari_fetal_iqa.review.examination.known_errors import FILE

    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    analyser = Analyser("demo-cls", "demo-seg")
    n = options.cases

    def cases(first: int, shifted: bool = False) -> list[Case]:
        seeds = range(options.seed + first, options.seed + first + n)
        found = (analysed(seed, shifted, analyser, options.keep) for seed in seeds)
        return [case for case in found if case is not None]

    measured, held_back, other = cases(0), cases(n), cases(2 * n, shifted=True)
    error, shares = calibrated(measured), errors(measured)
    rms = float(np.sqrt((shares**2).mean()))
    print(
        f"{error.what}: error of a case {rms:.3f} (median of its size "
        f"{np.median(abs(shares)):.3f}, mean {shares.mean():+.3f}), scale {error.scale:.2f}"
    )
    print(f"90 % interval holds the truth, other cases:   {coverage(held_back, error)}")
    print(f"90 % interval holds the truth, other scanner: {coverage(other, error)}")
    everyone = measured + held_back + other
    print(f"each of all cases by the others: {each_by_the_others(everyone)}")
    if options.write:
        setup = analyser.setup
        row = {
            "cls": setup.cls_model.hash,
            "seg": setup.seg_model.hash,
            "scale": round(error.scale, 4),
            "cases": error.cases,
            "what": error.what,
        }
        FILE.write_text(json.dumps([row], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
