"""int8 and bf16 of the starter models against the gate, on real frames of subjects held back.

    python benchmarks/int8_real_frames.py [--data DATA] [--precision int8 bf16]

Frames of subjects that taught calibrate (standard planes of FETAL_PLANES_DB); those that are held
back are compared: its standard planes, chests of FOCUS, and a real sweep of a head. All are brought
to 640 x 640, padded, so that a list of them can be a sweep. None but the head has a scale: 0.3 mm a
pixel are assumed for all, which makes an abdomen of 200 mm some 210 pixels wide. int8 takes nncf.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.compiled.gate import FEWEST_FRAMES
from fetal_iqa_models.compiled.graph_folder import find_compiled
from fetal_iqa_models.compiled.timing import processor, time_candidates
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.frame_set import resize_frames
from napari_fetal_iqa.analysis.reduced_precision import CALIBRATING, make_reduced
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.sweep import SweepVolume

SIDE, SPACING_MM = 640, (0.3, 0.3)
PLANES, CHESTS, HEAD = "fetal_planes_640", "focus_thorax", "fetal_head_sweep.mha"


def frames_of(
    folder: Path, held_back: bool, most: int | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Frames of the subjects that are held back, or of those that are not, evenly chosen."""
    cases = [case for case in list_annotated(folder) if bool(case.held_back) == held_back]
    step = 1 if most is None else max(1, len(cases) // most)
    for case in cases[::step]:
        for source in case.read():
            yield from resize_frames(source.frames, SIDE)


def sweep_of(frames: Iterator[NDArray[np.uint8]], name: str) -> SweepVolume:
    """Return frames as a sweep."""
    return SweepVolume(np.stack(list(frames)), SPACING_MM, name=name)


def main() -> None:
    """Print the figures of each trial."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = os.environ.get("FETAL_IQA_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(here))
    parser.add_argument("--precision", nargs="*", default=["int8", "bf16"])
    parser.add_argument("--models", nargs="*", default=["starter-cls", "starter-seg"])
    options = parser.parse_args()
    calibrating = sweep_of(frames_of(options.data / PLANES, False, CALIBRATING), "train")

    def held() -> Iterator[NDArray[np.uint8]]:
        yield from frames_of(options.data / PLANES, True)
        yield from frames_of(options.data / CHESTS, True)
        yield from resize_frames(np.asarray(read_sweep(options.data / HEAD).frames), SIDE)

    held_out = sweep_of(held(), "held out")
    assert len(held_out) >= FEWEST_FRAMES
    print(f"{processor()}\n{len(calibrating)} frames calibrate, {len(held_out)} are held out")
    for model in options.models:
        reference = find_compiled(model)
        assert reference is not None
        with tempfile.TemporaryDirectory() as folder:
            candidates = [reference]
            for precision in options.precision:
                print(f"\n{model}, {precision}", flush=True)
                begun = time.perf_counter()
                try:
                    made = make_reduced(
                        reference, precision, [calibrating, held_out], Path(folder), print
                    )
                except FetalIqaError as error:
                    print(error)
                    continue
                print(f"{'passed' if made else 'stays in float32'}, "
                      f"{time.perf_counter() - begun:.0f} s")  # fmt: skip
                candidates += [made] if made else []
            timing = time_candidates(candidates, Path(folder) / "timings")
            assert timing is not None
            told = ", ".join(f"{name} {rate:.1f}" for name, rate in timing.frames_a_second.items())
            print(f"{model}: frames a second {told}")


if __name__ == "__main__":
    main()
