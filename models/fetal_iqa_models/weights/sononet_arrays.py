"""SonoNet16's published arrays as safetensors: run once, the result is shipped.

``python -m fetal_iqa_models.weights.sononet_arrays SonoNet16.npz FOLDER``
"""

import hashlib
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from fetal_iqa_models.errors import WeightsError
from fetal_iqa_models.sononet import EPS, SonoNet
from fetal_iqa_models.weights.importing import content_hash
from fetal_iqa_models.weights.store import WeightsHeader, WeightsStore

SOURCE = "baumgach/SonoNet-weights@6c4df39927e42f5b873c09a733bc658ff1ff419c"
ARRAYS_A_LAYER = 5
USAGE = "python -m fetal_iqa_models.weights.sononet_arrays SonoNet16.npz FOLDER"


def from_published(arrays: list[NDArray[np.float32]]) -> dict[str, Tensor]:
    """Return the network's tensors by their names here; the layout is checked array by array.

    Parameters
    ----------
    arrays : list of arrays
        ``arr_0`` to ``arr_74``: of each layer, in the order of the network, the convolution
        (out, in, k, k), and of its batch normalisation beta, gamma, mean, and the inverse of the
        standard deviation, which has ``eps`` in it already.

    Raises
    ------
    WeightsError
        Where there are more or fewer arrays, or one is of another shape or no standard deviation.
    """
    network = SonoNet()
    expected = network.state_dict()
    layers = [
        name.removesuffix(".conv.weight") for name in expected if name.endswith(".conv.weight")
    ]
    if len(arrays) != ARRAYS_A_LAYER * len(layers):
        raise WeightsError(f"{len(arrays)} arrays, expected {ARRAYS_A_LAYER * len(layers)}")
    state: dict[str, Tensor] = {}
    for number, layer in enumerate(layers):
        first = ARRAYS_A_LAYER * number
        weight, beta, gamma, mean, inverse = arrays[first : first + ARRAYS_A_LAYER]
        variance = 1 / inverse.astype(np.float64) ** 2 - EPS
        if not (inverse > 0).all() or (variance < -EPS / 100).any():
            raise WeightsError(f"arr_{first + 4}: no inverse standard deviation")
        found = {
            "conv.weight": weight,
            "norm.weight": gamma,
            "norm.bias": beta,
            "norm.running_mean": mean,
            "norm.running_var": np.maximum(variance, 0),
        }
        for name, array in found.items():
            full = f"{layer}.{name}"
            if array.shape != tuple(expected[full].shape):
                raise WeightsError(
                    f"layer {number}: {full} would have shape {array.shape}, expected "
                    f"{tuple(expected[full].shape)}"
                )
            state[full] = torch.from_numpy(np.ascontiguousarray(array, np.float32))
        state[f"{layer}.norm.num_batches_tracked"] = torch.tensor(0)
    network.load_state_dict(state)
    return state


def convert(published: Path, folder: Path) -> Path:
    """Write the published arrays as a file of a weights store; return its path.

    Raises
    ------
    WeightsError
        Where the file cannot be read, or has no such arrays.
    OSError
        Where the folder cannot be written.
    """
    try:
        content = published.read_bytes()
        with np.load(BytesIO(content)) as file:
            arrays = [file[f"arr_{number}"] for number in range(len(file.files))]
    except (OSError, KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"{published}: not the published arrays ({reason})") from None
    state = from_published(arrays)
    sha256 = hashlib.sha256(content).hexdigest()
    header = WeightsHeader(
        encoder="sononet16",
        source_file=published.name,
        source_sha256=sha256,
        source_size=len(content),
        source_repository=SOURCE,
        content_sha256=content_hash(state),
    )
    path = WeightsStore(folder).path_for("sononet16", sha256)
    folder.mkdir(parents=True, exist_ok=True)
    described = {name: str(value) for name, value in header.model_dump().items()}
    save_file(state, path, metadata={"format": "pt", **described})
    return path


def main(arguments: Sequence[str]) -> None:
    """Convert, or end with one line that says why not."""
    if len(arguments) != 2:
        sys.exit(f"expected two arguments: {USAGE}")
    try:
        convert(*map(Path, arguments))
    except (WeightsError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
