"""The files of an analysis: frames.csv, masks.mha, summary.json, timeline.png."""

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.analysis.repeats import find_repeats
from napari_fetal_iqa.analysis.result import NOT_COMPUTED, Analysis, AnalysisSetup
from napari_fetal_iqa.analysis.timeline_plot import draw_timeline
from napari_fetal_iqa.criteria import Verdicts, score
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.foreign_text import csv_cell
from napari_fetal_iqa.geometry.biometry import (
    format_gestational_age,
    gestational_age_weeks,
    measure_abdomen,
)
from napari_fetal_iqa.geometry.plane import computed_verdicts
from napari_fetal_iqa.io import write_volume
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.version import TOOL_VERSION

COLUMNS = (
    *("frame", "sweep", "frame_in_sweep", "quality", "area_fraction", "label", "ac_mm"),
    *("plane", "computed", "plane_score", "plane_judged"),  # later columns are added at the end
)
NOTICE = "Research software, not a medical device."
SIMULATED_NOTICE = "A simulated sweep: no patient was examined."
DEMO_NOTICE = "Demo models, trained on phantoms only: not for clinical use."


MAX_NAME_BYTES = 200
"""Of a results folder: 255 is the most of any file system, and an identity may follow."""

RESERVED_NAMES = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE
)
"""Names that Windows keeps for devices, whatever ending follows (its page "Naming Files")."""


def folder_name(sweep_name: str) -> str:
    """Return the name of a sweep's results folder: one part of a path, on any system.

    Most names are their own. Others lose what would lead elsewhere or what some system refuses.
    """
    name = "".join("_" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in sweep_name)
    encoded = name.encode("utf-8", "replace")[:MAX_NAME_BYTES]
    name = encoded.decode("utf-8", "ignore").rstrip(". ")  # Windows drops these
    if RESERVED_NAMES.fullmatch(name):
        name = f"_{name}"
    return name or "sweep"


def write_results(
    analysis: Analysis, folder: Path, verdicts: Mapping[int, Verdicts] | None = None
) -> None:
    """Write the four files of an analysis into a folder, made where missing.

    ``summary.json`` comes last: where it stands, the others are whole.

    Parameters
    ----------
    analysis : Analysis
    folder : Path
    verdicts : mapping of int to Verdicts, optional
        What a reviewer says of the six criteria, by frame; goes before what the outline tells.

    Raises
    ------
    AnalysisError
        Where they cannot be written.
    """
    with _explained(folder):
        _write(analysis, folder, verdicts or {})


def try_folder(folder: Path) -> None:
    """Make a folder for results where it is missing, and try to write in it.

    So that nobody waits for an analysis whose results cannot be kept.

    Raises
    ------
    AnalysisError
        Where nothing can be written there.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AnalysisError(
            f"{folder}: the results cannot be written ({error.strerror}); choose another folder"
        ) from error


def _write(analysis: Analysis, folder: Path, verdicts: Mapping[int, Verdicts]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").unlink(missing_ok=True)
    write_atomically(folder / "frames.csv", _frames_csv(analysis, verdicts))
    sweep = analysis.sweep
    write_volume(
        folder / "masks.mha",
        _masks(analysis),
        sweep.spacing_mm,
        frames_per_sweep=sweep.frames_per_sweep,
    )
    draw_timeline(analysis, folder / "timeline.png")
    write_atomically(folder / "summary.json", json.dumps(summary(analysis), indent=2) + "\n")


def summary(analysis: Analysis) -> dict[str, Any]:
    """Return the fields of ``summary.json``."""
    sweep, best = analysis.sweep, analysis.best_frame()
    repeats = find_repeats(sweep)
    ac_mm = float(analysis.ac_mm[best]) if best >= 0 else float("nan")
    weeks = gestational_age_weeks(ac_mm) if np.isfinite(ac_mm) else None
    return {
        "name": sweep.name,
        "frames": len(sweep),
        "frames_analysed": int(analysis.computed.sum()),
        **made_from(sweep, analysis.setup),
        "best_frame": best,
        "best_frame_ac_mm": round(ac_mm, 2) if np.isfinite(ac_mm) else None,
        "gestational_age_weeks": None if weeks is None else round(weeks, 2),
        "gestational_age": None if weeks is None else format_gestational_age(weeks),
        "positive_frames": int((analysis.labels() == 1).sum()),
        "planes": _planes(analysis),
        "cascade": _cascade(analysis),
        "frames_black": int(repeats.black.sum()),
        "frames_repeated": int((repeats.first != np.arange(len(sweep)))[~repeats.black].sum()),
        "thresholds": {
            "quality": analysis.setup.thresholds.quality,
            "area_fraction": analysis.setup.thresholds.area,
        },
        "device": analysis.setup.device,
        "precision": analysis.setup.precision,
        "engine": analysis.setup.engine,
        "seconds": {stage: round(seconds, 3) for stage, seconds in analysis.seconds.items()},
        "notice": " ".join(notices(analysis)),
        "spacing_note": sweep.spacing_note,
    }


def _cascade(analysis: Analysis) -> dict[str, float | int] | None:
    """Tell from which quality on frames were outlined; None where all were."""
    bound = analysis.setup.cascade
    if bound is None:
        return None
    return {"bound": bound, "frames_not_outlined": int(analysis.spared.sum())}


def _planes(analysis: Analysis) -> dict[str, int] | None:
    """Count the frames of each class; None where the classifier tells none apart."""
    if not analysis.setup.planes:
        return None
    named = [analysis.plane(frame) for frame in range(len(analysis.sweep))]
    return {plane: named.count(plane) for plane in analysis.setup.planes}


def made_from(sweep: SweepVolume, setup: AnalysisSetup) -> dict[str, Any]:
    """Return all that the files depend on, as ``summary.json`` has it."""
    models = {"cls": setup.cls_model, "seg": setup.seg_model}
    return {
        "content_hash": sweep.identity,
        "sweeps": [list(bound) for bound in sweep.bounds],
        "spacing_mm": None if sweep.spacing_mm is None else list(sweep.spacing_mm),
        "models": {task: asdict(model) if model else None for task, model in models.items()},
        "tool_version": TOOL_VERSION,
    }


def notices(analysis: Analysis) -> list[str]:
    """Return what a reader of the results must know."""
    demo = [DEMO_NOTICE] if analysis.setup.demo else []
    return [NOTICE, *demo, *analysis.setup.notices]


def _frames_csv(analysis: Analysis, verdicts: Mapping[int, Verdicts]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    labels = analysis.labels()
    computed = _computed(analysis)
    for frame in range(len(analysis.sweep)):
        sweep, frame_in_sweep = analysis.sweep.locate(frame)
        cells = [
            frame,
            sweep,
            frame_in_sweep,
            _number(analysis.quality[frame], 4),
            _number(analysis.area_fraction[frame], 5),
            labels[frame] if labels[frame] != NOT_COMPUTED else "",
            _number(analysis.ac_mm[frame], 2),
            analysis.plane(frame),
            computed[frame],
            *_points(analysis, frame, verdicts.get(frame, {})),
        ]
        table.writerow(map(csv_cell, cells))
    return text.getvalue()


def _computed(analysis: Analysis) -> list[str]:
    """Say of each frame what was computed: ``cls+seg``, ``cls``, ``black``, ``as 17``, nothing."""
    repeats = find_repeats(analysis.sweep)
    setup, spared = analysis.setup, analysis.spared
    words = {"cls": setup.cls_model is not None, "seg": setup.seg_model is not None}
    everything = "+".join(task for task, there in words.items() if there)
    said = []
    for frame, first in enumerate(repeats.first.tolist()):
        if not analysis.computed[frame]:
            said.append("")
        elif repeats.black[frame]:
            said.append("black")
        elif first != frame and analysis.computed[first]:
            said.append(f"as {first}")
        else:
            said.append("cls" if spared[frame] else everything)
    return said


def _points(analysis: Analysis, frame: int, said: Verdicts) -> tuple[object, object]:
    """Return how many of the six criteria a frame meets, and of how many that is known."""
    known: Verdicts = said
    sweep = analysis.sweep
    if analysis.packed_mask(frame) is not None and np.isfinite(analysis.ac_mm[frame]):
        mask, view = analysis.mask(frame), sweep.field_of_view
        measured = sweep.spacing_mm and measure_abdomen(mask, sweep.spacing_mm, view)
        known = {**computed_verdicts(mask, measured or None, view), **said}
    return (score(known), len(known)) if known else ("", "")


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else ""


def _masks(analysis: Analysis) -> np.ndarray:
    masks = np.zeros(analysis.sweep.shape, np.uint8)
    for frame in range(len(masks)):
        if analysis.packed_mask(frame) is not None:
            masks[frame] = analysis.mask(frame)
    return masks
