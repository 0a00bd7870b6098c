"""In which precision OpenVINO computes: the fastest here of those that passed the gate."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fetal_iqa_models.errors import ModelError
from napari_fetal_iqa.analysis.graphs import kept_graphs
from napari_fetal_iqa.storage import paths

if TYPE_CHECKING:
    from fetal_iqa_models import CompiledModel

logger = logging.getLogger(__name__)

AskedPrecision = Literal["auto", "float32", "bf16", "int8"]
"""``auto``: the fastest of those that passed the gate, once that was measured; else float32."""

_FIRST_S = 10.0
"""Before candidates are timed: first results come first."""
_STEP_S = 0.25


def in_precision(reference: "CompiledModel", asked: AskedPrecision = "auto") -> "CompiledModel":
    """Return what computes a model, in the precision that was asked for.

    Parameters
    ----------
    reference : CompiledModel
        Its float32 graph.
    asked : "auto", "float32", "bf16" or "int8"
        What a model does not have is computed in float32, and a line says so, unless ``auto``.
    """
    from fetal_iqa_models.compiled.timing import kept_timing

    if asked == "float32":
        return reference
    candidates = candidates_of(reference)
    if asked == "auto":
        timing = kept_timing(candidates, timings()) if len(candidates) > 1 else None
        asked = "float32" if timing is None else timing.fastest
    for one in candidates:
        if one.precision == asked:
            return one
    logger.warning(
        "the %s model computes in float32: there is no %s of it that passed the gate on this "
        "processor; napari-fetal-iqa models compile --precision %s tries it",
        reference.card.task,
        asked,
        asked,
    )
    return reference


def candidates_of(reference: "CompiledModel") -> list["CompiledModel"]:
    """Return a float32 graph, and what passed the gate beside it and this processor can compute."""
    from fetal_iqa_models.compiled.graph_folder import find_reduced
    from fetal_iqa_models.compiled.timing import has_bf16

    found = [reference]
    for precision in ("bf16", "int8"):
        if precision == "bf16" and not has_bf16():
            continue
        try:
            reduced = find_reduced(reference, precision, kept_graphs())
        except ModelError as error:
            logger.warning("it is not used: %s", error)
            continue
        if reduced is not None:
            found.append(reduced)
    return found


def timings() -> Path:
    """Return the folder of what was measured on this machine."""
    return paths.cache() / "timings"


def time_in_background(references: Sequence["CompiledModel"]) -> threading.Thread | None:
    """Measure the candidates of models beside what else runs, where that was not done yet.

    The answer counts from the next start on: one analysis is of one precision.

    Returns
    -------
    Thread or None
        None where there is nothing to measure. It ends with the main thread.
    """
    from fetal_iqa_models.compiled.timing import kept_timing

    unknown = [
        candidates
        for candidates in map(candidates_of, references)
        if len(candidates) > 1 and kept_timing(candidates, timings()) is None
    ]
    if not unknown:
        return None
    thread = threading.Thread(target=_time, args=(unknown,), name="fetal-iqa-timing")
    thread.start()
    return thread


def _time(unknown: Sequence[Sequence["CompiledModel"]]) -> None:
    from fetal_iqa_models.compiled.timing import time_candidates

    main = threading.main_thread()
    waited = 0.0
    while waited < _FIRST_S and main.is_alive():
        main.join(_STEP_S)
        waited += _STEP_S
    for candidates in unknown:
        try:
            time_candidates(candidates, timings(), main.is_alive)
        except (ModelError, OSError, RuntimeError, MemoryError) as error:
            logger.warning("float32 stays, as precisions could not be timed: %s", error)
