"""Finished analyses, kept by the sweep's identity and the models' hashes; never trusted blindly.

A file is safetensors with the digest of all that it says: one that was damaged, or made by
another version, is as good as none.
"""

import hashlib
import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from fetal_iqa_models.atomic_file import atomic_file
from fetal_iqa_models.untrusted.tensor_bytes import TensorBytes, opened_tensors
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError
from napari_fetal_iqa.analysis.result import Analysis, AnalysisSetup, FrameResults
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.sweep import SweepVolume
from napari_fetal_iqa.version import TOOL_VERSION

logger = logging.getLogger(__name__)

_LARGEST = 256 * 2**20
"""Bytes. A packed mask takes about two kilobytes: what is larger was not written here."""


_DTYPES = {
    "BOOL": "?",
    **{f"{kind.upper()}{8 * size}": f"<{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}
"""numpy's by the names of safetensors."""


def save(analysis: Analysis) -> None:
    """Keep an analysis, also of some of the frames; where it cannot be kept, only time is lost.

    An analysis of some frames lies beside, until one of all frames takes its place, and is not
    written over one of more frames.
    """
    count = int(analysis.computed.sum())
    if not analysis.complete:
        known = load_partial(analysis.sweep, analysis.setup)
        if not count or (known is not None and int(known.computed.sum()) >= count):
            return
    tensors = _tensors(analysis)
    facts = {
        "made": json.dumps(_made(analysis.sweep, analysis.setup)),
        "computed": json.dumps(
            {
                "device": analysis.setup.device,
                "precision": analysis.setup.precision,
                "engine": analysis.setup.engine,
                "seconds": analysis.seconds,
            }
        ),
    }
    facts["digest"] = _digest(tensors, facts)
    try:
        partial = _partial(_path(analysis.sweep, analysis.setup))
        path = _path(analysis.sweep, analysis.setup) if analysis.complete else partial
        with atomic_file(path) as new:
            save_file(tensors, new, metadata=facts)
        if analysis.complete:
            partial.unlink(missing_ok=True)
    except (OSError, SafetensorError):
        logger.warning("the analysis could not be cached")


def load(sweep: SweepVolume, setup: AnalysisSetup) -> Analysis | None:
    """Return the analysis of this sweep by these models, if a sound one is kept.

    Parameters
    ----------
    sweep : SweepVolume
    setup : AnalysisSetup
        The models, and which outlines are wanted; the device counts for nothing.
    """
    found = _read(_path(sweep, setup), sweep, setup)
    return found if found is not None and found.complete else None


def load_partial(sweep: SweepVolume, setup: AnalysisSetup) -> Analysis | None:
    """Return what is kept of an analysis that was ended early, as :func:`load` does of a whole.

    Or of a whole one that lacks outlines which are wanted now.
    """
    path = _path(sweep, setup)
    if (kept := _read(_partial(path), sweep, setup)) is not None:
        return kept
    whole = _read(path, sweep, setup)
    return None if whole is None or whole.complete else whole


def _read(path: Path, sweep: SweepVolume, setup: AnalysisSetup) -> Analysis | None:
    try:
        with opened_tensors(path, _LARGEST) as file:
            facts = dict(file.header.metadata)
            tensors = {name: _array(file, name) for name in file.header.tensors}
        if facts.pop("digest") != _digest(tensors, facts):
            raise ValueError("not what was written")
        if json.loads(facts["made"]) != _made(sweep, setup):
            return None
        if setup.planes and "planes" not in tensors:
            return None
        computed = json.loads(facts["computed"])
        return _analysis(sweep, setup, tensors, computed)
    except FileNotFoundError:
        return None
    except (OSError, DamagedError, RefusedError, KeyError, ValueError, TypeError):
        logger.warning("a cached analysis is damaged; analysing again")
        return None


def _array(file: TensorBytes, name: str) -> NDArray[Any]:
    entry = file.header.tensors[name]
    array = np.empty(entry.shape, _DTYPES[entry.dtype])
    if array.size:
        file.read_into(name, array.reshape(-1).view(np.uint8).data)
    return array


def _path(sweep: SweepVolume, setup: AnalysisSetup) -> Path:
    hashes = [(model.hash, model.encoder_weights) for model in setup.models]
    # parts of the hashes, for Windows allows a path 260 characters; the file has them whole
    names = [name[:16] for pair in hashes for name in pair if name]
    return paths.cache() / "analyses" / f"{'-'.join([sweep.identity[:32], *names])}.safetensors"


def _partial(path: Path) -> Path:
    # a file of its own: who knows no partial analyses takes every cached one for whole
    return path.with_suffix(".partial.safetensors")


def _made(sweep: SweepVolume, setup: AnalysisSetup) -> dict[str, object]:
    """All that the results depend on."""
    return {
        "tool": TOOL_VERSION,
        "sweep": sweep.identity,
        "shape": list(sweep.shape),
        "spacing_mm": list(sweep.spacing_mm) if sweep.spacing_mm else None,
        "models": [asdict(model) for model in setup.models],
    }


def _tensors(analysis: Analysis) -> dict[str, NDArray]:
    frames = range(len(analysis.sweep))
    codes = [analysis.packed_mask(frame) or b"" for frame in frames]
    return {
        "quality": analysis.quality,
        "area_fraction": analysis.area_fraction,
        "ac_mm": analysis.ac_mm,
        "computed": analysis.computed,
        "lit": analysis.non_black,  # the field's name on disk since the first version
        "mask_codes": np.frombuffer(b"".join(codes), np.uint8),
        "mask_ends": np.cumsum([len(code) for code in codes]),
        **({"planes": analysis.planes} if analysis.setup.planes else {}),
    }


def _digest(tensors: dict[str, NDArray], facts: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(sorted(facts.items())).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _analysis(
    sweep: SweepVolume,
    setup: AnalysisSetup,
    tensors: dict[str, NDArray],
    computed: dict[str, object],
) -> Analysis:
    setup = replace(
        setup,
        device=str(computed["device"]),
        precision=str(computed["precision"]),
        engine=str(computed.get("engine", "torch")),
    )
    analysis = Analysis(sweep, setup)
    ends = tensors["mask_ends"]
    codes = tensors["mask_codes"].tobytes()
    masks = [codes[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    known = np.flatnonzero(tensors.get("computed", np.ones(len(sweep), bool)))
    analysis.add(
        FrameResults(
            frames=known,
            quality=tensors["quality"][known] if setup.cls_model else None,
            area_fraction=tensors["area_fraction"][known] if setup.seg_model else None,
            masks=tuple(masks[frame] for frame in known) if setup.seg_model else None,
            ac_mm=tensors["ac_mm"][known],
            non_black=tensors["lit"][known],
            seconds=dict(computed["seconds"]),  # type: ignore[call-overload]
            plane=tensors["planes"][known] if setup.planes else None,
        )
    )
    return analysis
