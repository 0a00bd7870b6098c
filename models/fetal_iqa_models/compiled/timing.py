"""Which precision is fastest on this processor: measured once, and kept; torch-free."""

import hashlib
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from fetal_iqa_models.cards import read_small
from fetal_iqa_models.compiled.compiled_predictor import CompiledPredictor
from fetal_iqa_models.compiled.graph_folder import CompiledModel, Precision, folder_name
from fetal_iqa_models.errors import ModelError

SECONDS = 3.0
"""For each candidate."""
_ROUNDS = 3
_FRAMES = 4
_SHAPE = (562, 744)


class Timing(BaseModel):
    """What the candidates of one model took on one processor.

    Parameters
    ----------
    processor : str
        With its number of cores.
    openvino : str
        Version.
    weights : dict
        sha256 of the weights of each candidate, by precision.
    frames_a_second : dict of float
        The best round of each candidate.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    processor: str
    openvino: str
    weights: dict[Precision, str]
    frames_a_second: dict[Precision, float]

    @property
    def fastest(self) -> Precision:
        """The precision with the most frames a second."""
        return max(self.frames_a_second, key=lambda one: self.frames_a_second[one])


def processor() -> str:
    """Name the processor by what OpenVINO knows of it."""
    import openvino

    core = openvino.Core()
    name = core.get_property("CPU", "FULL_DEVICE_NAME")
    abilities = ", ".join(sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")))
    return f"{name}, {platform.machine()}, {os.cpu_count()} cores, {abilities}"


def has_bf16() -> bool:
    """Return whether the processor computes in bf16 by itself."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def kept_timing(candidates: Sequence[CompiledModel], folder: Path) -> Timing | None:
    """Return what was measured of just these candidates on this processor, if it was."""
    import openvino

    try:
        kept = Timing.model_validate_json(read_small(_path(candidates[0], folder)))
    except (ModelError, ValidationError):
        return None
    same = (kept.processor, kept.openvino, kept.weights) == (
        processor(),
        openvino.__version__,
        _weights(candidates),
    )
    return kept if same and kept.frames_a_second.keys() == kept.weights.keys() else None


def time_candidates(
    candidates: Sequence[CompiledModel],
    folder: Path,
    go_on: Callable[[], bool] = lambda: True,
    seconds: float = SECONDS,
) -> Timing | None:
    """Measure the candidates in turn, and keep the answer.

    Parameters
    ----------
    candidates : sequence of CompiledModel
        Of one model, in several precisions.
    folder : Path
        Where answers are kept.
    go_on : callable, optional
        Asked before each batch; where it gives False, None is returned and nothing kept.
    seconds : float
        For each candidate.

    Raises
    ------
    ModelError
        Where OpenVINO cannot use a graph, or the memory is too little.
    """
    import openvino

    frames = np.random.default_rng(0).integers(0, 256, (_FRAMES, *_SHAPE), np.uint8)
    rates = dict.fromkeys([one.precision for one in candidates], 0.0)
    # in turn, so that what else the machine does meets all of them
    predictors = {one.precision: _predictor(one) for one in candidates}
    for predictor in predictors.values():
        if not go_on():
            return None
        list(predictor.predict(frames[:1]))
    for _ in range(_ROUNDS):
        for precision, predictor in predictors.items():
            begun, done = time.perf_counter(), 0
            while (taken := time.perf_counter() - begun) < seconds / _ROUNDS or not done:
                if not go_on():
                    return None
                done += sum(len(batch.frames) for batch in predictor.predict(frames))
            rates[precision] = max(rates[precision], done / max(taken, 1e-9))
    timing = Timing(
        processor=processor(),
        openvino=openvino.__version__,
        weights=_weights(candidates),
        frames_a_second=rates,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(_path(candidates[0], folder), timing.model_dump_json(indent=1))
    return timing


def _predictor(one: CompiledModel) -> CompiledPredictor:
    if one.card.task == "cls":
        return CompiledPredictor(cls=one, batch_size=_FRAMES)
    return CompiledPredictor(seg=one, batch_size=_FRAMES)


def _weights(candidates: Sequence[CompiledModel]) -> dict[Precision, str]:
    return {one.precision: one.compiled.weights for one in candidates}


def _path(one: CompiledModel, folder: Path) -> Path:
    machine = hashlib.sha256(processor().encode()).hexdigest()[:8]
    name = folder_name(one.compiled.model, one.compiled.encoder_weights)
    return folder / f"{name}-{machine}.json"
