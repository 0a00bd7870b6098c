"""Graphs of less precision: made, compared with float32 on held-out frames, and kept if near."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_models.compiled.compiled_predictor import CompiledPredictor
from fetal_iqa_models.compiled.gate import GateFigures, compared_outlines, compared_scores
from fetal_iqa_models.compiled.graph_folder import (
    CARD_FILE,
    GRAPH_FILE,
    WEIGHTS_FILE,
    CompiledCard,
    CompiledModel,
    Precision,
    folder_name,
    sha256_of,
)
from fetal_iqa_models.compiled.quantising import RUNGS, quantised
from fetal_iqa_models.compiled.timing import has_bf16
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.sweep import SweepVolume

CALIBRATING = 96
"""Frames that calibrate activations."""
HELD_OUT = 600
"""Frames on which graphs are compared, at most."""

_FIRST_SEED = 7_001
"""Of the phantoms that demo models are compared on: far from those that they learnt from."""
_PHANTOMS = 4


@dataclass(frozen=True, eq=False)
class _Frame:
    image: NDArray[np.uint8]
    sweep: SweepVolume


def usual_sweeps() -> list[SweepVolume]:
    """Simulate sweeps, on which demo models may be compared."""
    seeds = range(_FIRST_SEED, _FIRST_SEED + _PHANTOMS)
    return [make_phantom(PhantomSettings(), seed).sweep for seed in seeds]


def make_reduced(
    reference: CompiledModel,
    precision: Precision,
    sweeps: Sequence[SweepVolume],
    folder: Path,
    say: Callable[[str], None] = lambda line: None,
) -> CompiledModel | None:
    """Make what computes a model in less precision, and keep it if it passes the gate.

    An int8 graph that fails keeps more layers in full precision, rung by rung.

    Parameters
    ----------
    reference : CompiledModel
        The float32 graph.
    precision : "bf16" or "int8"
    sweeps : sequence of SweepVolume
        Every other one calibrates, the rest is held out; of a single one, its parts in turn.
    folder : Path
        Where graphs are kept.
    say : callable, optional
        Told the figures of each trial, a line each.

    Returns
    -------
    CompiledModel or None
        None where none passed: the model stays in float32.

    Raises
    ------
    AnalysisError
        Where the processor does not compute in bf16 by itself.
    fetal_iqa_models.ModelError
        Where nncf is missing, OpenVINO refuses the graph, or the memory is too little.
    """
    if precision == "bf16" and not has_bf16():
        raise AnalysisError("this processor does not compute in bf16 by itself")
    calibrating, held_out = split_frames(sweeps)
    card = CompiledCard(
        model=reference.compiled.model,
        encoder_weights=reference.compiled.encoder_weights,
        precision=precision,
        graph=reference.compiled.graph,
        weights=reference.compiled.weights,
        made_with=reference.compiled.made_with,
        reference=reference.compiled.weights,
        compared_on=tuple(sweep.identity for sweep in sweeps),
    )
    expected = _told(reference, held_out)
    target = folder / folder_name(card.model, card.encoder_weights, precision)
    folder.mkdir(parents=True, exist_ok=True)
    if precision == "bf16":
        tried = CompiledModel(reference.folder, reference.card, card)
        kept = _judged(tried, expected, held_out, say)
        if kept is not None:
            target.mkdir(exist_ok=True)
            write_atomically(target / CARD_FILE, kept.compiled.model_dump_json(indent=1))
        return kept
    import openvino

    for rung in RUNGS:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
            made = Path(new) / "graph"
            made.mkdir()
            graph = quantised(
                reference.folder / GRAPH_FILE, [frame.image for frame in calibrating], rung
            )
            openvino.save_model(graph, made / GRAPH_FILE, compress_to_fp16=False)
            del graph
            int8 = card.model_copy(
                update={
                    "graph": sha256_of(made / GRAPH_FILE),
                    "weights": sha256_of(made / WEIGHTS_FILE),
                    "made_with": f"{openvino.__version__}, nncf {version('nncf')}",
                    "kept_float": rung.name,
                }
            )
            say(f"int8, layers kept in full precision: {rung.name}")
            tried = CompiledModel(made, reference.card, int8)
            kept = _judged(tried, expected, held_out, say)
            if kept is not None:
                write_atomically(made / CARD_FILE, kept.compiled.model_dump_json(indent=1))
                shutil.rmtree(target, ignore_errors=True)
                made.rename(target)
                return replace(kept, folder=target)
    return None


def split_frames(sweeps: Sequence[SweepVolume]) -> tuple[list[_Frame], list[_Frame]]:
    """Choose the frames that calibrate, and those held out."""
    parts = [
        [(sweep, frame) for frame in range(first, last)]
        for sweep in sweeps
        for first, last in ([(0, len(sweep))] if len(sweeps) > 1 else sweep.bounds)
    ]
    if len(parts) == 1:  # of one short clip the first half calibrates
        (whole,) = parts
        parts = [whole[: len(whole) // 2], whole[len(whole) // 2 :]]

    def chosen(some: list[list[tuple[SweepVolume, int]]], most: int) -> list[_Frame]:
        frames = [frame for part in some for frame in part]
        places = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).astype(int))
        return [
            _Frame(np.asarray(sweep.frames[number]), sweep)
            for sweep, number in (frames[place] for place in places)
        ]

    return chosen(parts[::2], CALIBRATING), chosen(parts[1::2], HELD_OUT)


@dataclass(frozen=True, eq=False)
class _Told:
    """What a graph says of the held-out frames, each an array or list along them."""

    values: NDArray[np.float32]  # quality, or area fraction
    masks: list[NDArray[np.uint8]]  # packed
    ac_mm: NDArray[np.float64]


def _told(model: CompiledModel, frames: Sequence[_Frame]) -> _Told:
    scores = model.card.task == "cls"
    predictor = CompiledPredictor(cls=model) if scores else CompiledPredictor(seg=model)
    values, masks = [], []
    ac_mm = np.full(len(frames), np.nan)
    for place, frame in enumerate(frames):
        (batch,) = predictor.predict(frame.image[None])
        found = batch.quality if scores else batch.area_fraction
        assert found is not None
        values.append(found[0])
        if batch.masks is not None:
            mask = batch.masks[0]
            masks.append(np.packbits(mask))
            if frame.sweep.spacing_mm is not None:
                measured = measure_abdomen(mask, frame.sweep.spacing_mm, frame.sweep.field_of_view)
                ac_mm[place] = measured.circumference_mm if measured else np.nan
    return _Told(np.array(values, np.float32), masks, ac_mm)


def _judged(
    tried: CompiledModel,
    expected: _Told,
    frames: Sequence[_Frame],
    say: Callable[[str], None],
) -> CompiledModel | None:
    """Compare a graph with float32, say its figures, and return it with them if it passes."""
    figures = _figures(tried, expected, _told(tried, frames))
    failures = list(figures.failures())
    say(f"{tried.precision}: {figures.in_words()}")
    if failures:
        say(f"{tried.precision} failed: {'; '.join(failures)}")
        return None
    return replace(tried, compiled=tried.compiled.model_copy(update={"gate": figures}))


def _figures(tried: CompiledModel, expected: _Told, found: _Told) -> GateFigures:
    if tried.card.task == "cls":
        return compared_scores(expected.values, found.values, tried.card.quality_threshold)
    dice = np.array([_dice(*pair) for pair in zip(expected.masks, found.masks, strict=True)])
    return compared_outlines(
        (expected.values, expected.ac_mm),
        (found.values, found.ac_mm),
        dice,
        tried.card.area_threshold,
    )


def _dice(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the Dice of two packed masks; nan where both are empty."""
    both, common = (int(np.bitwise_count(part).sum()) for part in (one, one & other))
    both += int(np.bitwise_count(other).sum())
    return 2 * common / both if both else float("nan")
