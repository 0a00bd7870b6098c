"""What fine-tuning on corrections of real heads brings the demo SEG model, which knows phantoms.

    python benchmarks/finetuning_heads.py [--data FOLDER] [--frames 20 40] [--preset quick]

Images of the HC18 challenge are sweeps of one frame; their annotated outlines are the expert's
corrections, in the same store as the window's. Judged on 60 images of other subjects: Dice, the
error of the head circumference, and the phantoms that the model knew.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from fetal_iqa_models import load_model
from fetal_iqa_training.data.hc18 import find_table, outlined_cases
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, frames_of
from fetal_iqa_training.evaluation.evaluate import judge
from fetal_iqa_training.fitting.finetune import finetune
from fetal_iqa_training.settings import PRESETS, FinetuneSettings, preset_of
from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.storage.paths import remember_location

TEST = 60
DATA = Path(os.environ.get("FETAL_IQA_DATA", "")) / "hc18"


def correct(cases: list[AnnotatedCase], images: Path, path: Path) -> None:
    """Store the outline of each image as an expert's correction."""
    with CorrectionStore(path) as store:
        for case in cases:
            image = images / f"{case.name}.png"
            sweep = read_sweep(image)
            remember_location(sweep.identity, image)
            store.add_sweep(sweep)
            (source,) = case.read()
            store.set_label(sweep.identity, 0, Label.OPTIMAL, "truth")
            store.set_mask(sweep.identity, 0, source.masks[0], "truth")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--frames", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--preset", choices=PRESETS, default="quick")
    options = parser.parse_args()
    table = find_table(options.data)
    if table is None:
        raise SystemExit(f"{options.data}: no HC18 table here")
    one_each = {case.subject_id: case for case in outlined_cases(table)}
    shuffled = np.random.default_rng(0).permutation(sorted(one_each))
    test = [one_each[subject] for subject in shuffled[:TEST]]
    print(f"{'corrected':>10}{'Dice':>8}{'HC error, mm':>14}{'phantoms: Dice':>16}{'seconds':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for count in (0, *options.frames):
            model: str | Path = "demo-seg"
            known, seconds = "", 0.0
            if count:
                store, model = Path(folder, f"{count}.sqlite"), Path(folder, str(count))
                corrected = [one_each[subject] for subject in shuffled[TEST : TEST + count]]
                correct(corrected, options.data / "images", store)
                settings = FinetuneSettings(task="seg", **preset_of(options.preset, "seg"))
                started = time.perf_counter()
                card = finetune([store], "demo-seg", model, settings)
                seconds = time.perf_counter() - started
                known = f"{card.metrics['child']['reference']['dice']:.3f}"
            found = judge(load_model(model), frames_of(test)).metrics
            print(
                f"{count:10}{found['dice']:8.3f}{found['circumference_error_mm']:14.1f}"
                f"{known:>16}{seconds:9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
