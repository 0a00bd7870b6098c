"""How good models are on textured sweeps: on every frame, and where they choose one of each case.

    fetal-iqa-train phantoms textured --cases 4 --seed 8 --size acouslic --part val --texture PLANES
    python benchmarks/textured_judged.py --data textured [--models starter demo] [--keep FILE]

Each case is analysed once by a pair of models, as ``napari-fetal-iqa analyse`` does it: F1 of the
quality and of the area over all frames; the circumference of every frame with an abdomen that is
outlined; whether the best frame shows the abdomen, and how far its circumference is from the
truth's on that frame. FILE keeps what was found case by case, so that the same command goes on.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from fetal_iqa_training.challenge.scored_folder import read_truth, score_by
from napari_fetal_iqa import measure_abdomen
from napari_fetal_iqa.analysis import Analyser, analyse_sweep
from napari_fetal_iqa.geometry.overlap import dice
from napari_fetal_iqa.io import AcouslicCase, list_cases, open_frames

Found = dict[str, float | None]


def of_case(case: AcouslicCase, analyser: Analyser) -> Found:
    """Analyse a case and compare with its truth."""
    truth = read_truth(case)
    analysis = analyse_sweep(open_frames(case), analyser=analyser, use_cache=False)
    shown = truth.planes > 0
    limits = analysis.setup.thresholds
    found: Found = {"frames": len(shown), "positives": int(shown.sum())}
    decisions = {
        "cls": analysis.quality > limits.quality,
        "seg": analysis.area_fraction >= limits.area,
    }
    for name, said in decisions.items():
        pairs = {"tp": said & shown, "fp": said & ~shown, "fn": ~said & shown}
        found |= {f"{name}_{pair}": int(which.sum()) for pair, which in pairs.items()}
    overlaps, errors = [], []
    for frame in map(int, np.flatnonzero(shown)):
        overlaps.append(dice(analysis.mask(frame), truth.abdomen(frame), of_nothing=0.0))
        if (error := error_percent(truth, frame, analysis.mask(frame))) is not None:
            errors.append(error)
    found |= {"dice": float(np.sum(overlaps)), "errors": float(np.sum(errors))}
    found["measured"] = len(errors)
    best = analysis.best_frame()
    found["best_frame"] = best
    found["hit"] = best >= 0 and bool(shown[best])
    mask = analysis.mask(best) if best >= 0 else None
    found["score"] = score_by(truth, best, mask, "corrected").score
    found["best_error"] = error_percent(truth, best, mask) if found["hit"] else None
    return found


def error_percent(truth, frame, mask) -> float | None:
    """How far the circumference of a mask is from the truth's of the same frame."""
    spacing = truth.spacing_mm
    true, ours = (
        measure_abdomen(one & truth.field_of_view, spacing, truth.field_of_view)
        for one in (truth.abdomen(frame), mask)
    )
    if true is None or ours is None:
        return None
    return 100 * abs(ours.circumference_mm - true.circumference_mm) / true.circumference_mm


def f1(rows: list[Found], name: str) -> float:
    """Of the frames of all cases together."""
    tp, fp, fn = (sum(row[f"{name}_{pair}"] for row in rows) for pair in ("tp", "fp", "fn"))
    return 2 * tp / (2 * tp + fp + fn)


def main() -> None:
    """Print a table, a row for each pair of models."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["demo", "starter"])
    parser.add_argument("--keep", type=Path, help="Keep and take cases from this JSON file.")
    given = parser.parse_args()
    kept = json.loads(given.keep.read_text()) if given.keep and given.keep.exists() else {}
    cases = list_cases(given.data)
    analysers = {
        models: Analyser(f"{models}-cls", f"{models}-seg", "cpu", precision="float32")
        for models in given.models
    }
    for case in cases:
        for models, analyser in analysers.items():
            name = f"{models} {case.uuid}"
            if name not in kept:
                kept[name] = of_case(case, analyser)
                if given.keep:
                    given.keep.write_text(json.dumps(kept, indent=1))
    rows = {models: [kept[f"{models} {case.uuid}"] for case in cases] for models in given.models}
    first = rows[given.models[0]]
    positives = sum(row["positives"] for row in first)
    print(f"{len(cases)} cases, {sum(row['frames'] for row in first)} frames, {positives} positive")
    print(
        "| models | F1, CLS | F1, SEG | Dice | error of the circumference, mean | measured | best "
        "frame shows the abdomen | its error | no frame chosen | challenge's score |"
    )
    print("|---" * 10 + "|")
    for models, found in rows.items():
        measured = sum(row["measured"] for row in found)
        errors = [row["best_error"] for row in found if row["best_error"] is not None]
        print(
            f"| {models} | {f1(found, 'cls'):.2f} | {f1(found, 'seg'):.2f} | "
            f"{sum(row['dice'] for row in found) / positives:.2f} | "
            f"{sum(row['errors'] for row in found) / max(measured, 1):.0f} % | "
            f"{measured} of {positives} | {sum(row['hit'] for row in found)} of {len(cases)} | "
            f"{f'{np.mean(errors):.0f} %' if errors else ''} | "
            f"{sum(row['best_frame'] < 0 for row in found)} | "
            f"{np.mean([row['score'] for row in found]):.2f} |"
        )


if __name__ == "__main__":
    main()
