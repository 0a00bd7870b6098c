"""Static quantisation of a compiled graph to int8, with nncf, which only this module needs."""

import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetal_iqa_models.errors import ModelError

_NOT_THE_NETWORK = r"^(?!__module\.network).*"
"""Resampling and normalisation before the network, and what is told of its output."""


_BETWEEN = (
    "Add",
    "Subtract",
    "Multiply",
    "Divide",
    "ReduceMean",
    "ReduceSum",
    "MVN",
    "Interpolate",
)
"""What lies between layers with weights: sums of branches, norms, and SonoNet's sector."""


@dataclass(frozen=True)
class Rung:
    """Which layers stay in full precision.

    Parameters
    ----------
    name : str
        In words, for the card.
    kept : tuple of str
        Regular expressions of the names of what stays.
    ends : bool
        Whether the first and the last layer stay.
    between : bool
        Whether all but convolutions and matrix products stays.
    """

    name: str
    kept: tuple[str, ...] = ()
    ends: bool = False
    between: bool = False


RUNGS = (
    Rung("none"),
    Rung("all but convolutions and products", between=True),
    Rung("the first and the last", ends=True, between=True),
    Rung("the head", (r".*\.network\.head\..*",), ends=True, between=True),
    Rung(
        "the head and attention", (r".*\.network\.head\..*", r".*attn.*"), ends=True, between=True
    ),
)
"""From the fastest to the most careful: what fails the gate on one is tried on the next."""


def can_quantise() -> bool:
    """Return whether nncf is installed."""
    return importlib.util.find_spec("nncf") is not None


def quantised(graph: Path, frames: Sequence[NDArray[np.uint8]], rung: Rung) -> Any:
    """Quantise a graph.

    Parameters
    ----------
    graph : Path
        graph.xml of float32.
    frames : sequence of (H, W) uint8 arrays
        That activations are calibrated on.
    rung : Rung

    Returns
    -------
    openvino.Model

    Raises
    ------
    ModelError
        Where nncf is missing, or refuses.
    """
    import openvino
    from openvino.passes import ConstantFolding, Manager

    nncf = _nncf()
    model = openvino.Core().read_model(graph)
    folding = Manager()  # nncf stumbles over tables that are gathered by constant places
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    names = [op.get_friendly_name() for op in model.get_ordered_ops()]
    layers = [
        op.get_friendly_name()
        for op in model.get_ordered_ops()
        if op.get_type_name() in ("Convolution", "GroupConvolution", "MatMul")
        and op.get_friendly_name().startswith("__module.network")
    ]
    ignored = nncf.IgnoredScope(
        names=[layers[0], layers[-1]] if rung.ends and layers else [],
        patterns=[_NOT_THE_NETWORK, *rung.kept],
        types=["Gather", *(_BETWEEN if rung.between else ())],
        validate=False,
    )
    attention = any("attn" in name for name in names)
    try:
        return nncf.quantize(
            model,
            nncf.Dataset([frame[None] for frame in frames]),
            subset_size=len(frames),
            model_type=nncf.ModelType.TRANSFORMER if attention else None,
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=ignored,
        )
    except (RuntimeError, KeyError, ValueError, TypeError, nncf.ValidationError) as error:
        raise ModelError(f"nncf cannot quantise this graph ({type(error).__name__})") from error


def _nncf() -> Any:
    if not can_quantise():
        raise ModelError("int8 takes nncf, which is not installed: pip install nncf")
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf
