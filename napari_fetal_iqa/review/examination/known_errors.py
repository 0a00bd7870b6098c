"""How far the bundled models were off where the circumference is known.

The numbers come from ``python benchmarks/case_interval.py``, which writes the file beside this one;
they hold for the pair of models whose hashes stand there, and for no other.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from napari_fetal_iqa.analysis.result import AnalysisSetup
from napari_fetal_iqa.review.examination.aggregate import ModelError
from napari_fetal_iqa.review.reviewed_frames import ReviewedFrames

FILE = Path(__file__).with_name("known_errors.json")


@cache
def _known() -> dict[tuple[str, str], ModelError]:
    rows = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []
    return {
        (row["cls"], row["seg"]): ModelError(row["scale"], row["cases"], row["what"])
        for row in rows
    }


def error_of(setup: AnalysisSetup, simulated: bool) -> ModelError | None:
    """Return the error of a pair of models; None where it is not known.

    Parameters
    ----------
    setup : AnalysisSetup
    simulated : bool
        Whether the sweep is a phantom: what was measured on phantoms says nothing of patients.
    """
    if setup.cls_model is None or setup.seg_model is None or not simulated:
        return None
    return _known().get((setup.cls_model.hash, setup.seg_model.hash))


def error_of_case(volumes: Sequence[ReviewedFrames]) -> ModelError | None:
    """Return how far off the models of a case are; None where that of one of them is not known."""
    errors = [
        error_of(volume.analysis.setup, volume.sweep.simulated) if volume.analysis else None
        for volume in volumes
    ]
    known = [error for error in errors if error is not None]
    return max(known, key=lambda one: one.scale) if len(known) == len(errors) and known else None
