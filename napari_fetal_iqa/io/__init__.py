"""Opening and writing sweeps; one module per family of formats."""

from napari_fetal_iqa.io.acouslic import (
    AcouslicCase,
    list_cases,
    open_frames,
    open_masks,
    write_case,
)
from napari_fetal_iqa.io.read import read_sweep
from napari_fetal_iqa.io.write import write_volume
from napari_fetal_iqa.sweep import SweepInfo, describe

__all__ = [
    "AcouslicCase",
    "SweepInfo",
    "describe",
    "list_cases",
    "open_frames",
    "open_masks",
    "read_sweep",
    "write_case",
    "write_volume",
]
