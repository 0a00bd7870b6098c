"""Import a foreign checkpoint: read it safely, check it strictly, keep it as safetensors."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from fetal_iqa_models.atomic_file import atomic_file, clear_abandoned
from fetal_iqa_models.checkpoints import apart, match_trunk, read_checkpoint
from fetal_iqa_models.encoders import blank_encoder
from fetal_iqa_models.errors import StoreError, WeightsError, shown
from fetal_iqa_models.untrusted.regular import open_regular
from fetal_iqa_models.weights.recording import file_content_hash
from fetal_iqa_models.weights.store import StoredWeights, WeightsHeader, WeightsStore, read_header


def import_weights(
    encoder: str,
    file: Path | str,
    store: WeightsStore,
    *,
    source_file: str | None = None,
    source_repository: str = "",
) -> StoredWeights:
    """Convert a checkpoint of a pretrained encoder and keep it in a store.

    Nothing that the file holds is run. All its tensors are kept under their own names, so that
    an open_clip checkpoint keeps its text side; ``load_encoder`` and ``zero_shot`` read the
    result as they would read the original. It is known by the sha256 of the file that is given:
    to take weights to another machine, give that machine the same file, or copy the store.

    Parameters
    ----------
    encoder : str
        One of :func:`~fetal_iqa_models.list_encoders`.
    file : path
        A checkpoint that :func:`~fetal_iqa_models.load_encoder` takes.
    store : WeightsStore
    source_file : str, optional
        Name of the file where it was published, if it has another one here.
    source_repository : str
        Repository and commit that the file was fetched from, as ``"owner/name@commit"``.

    Returns
    -------
    StoredWeights

    Raises
    ------
    ModelError
        Where there is no such encoder.
    WeightsError
        Where the file is missing, damaged, not a checkpoint of this encoder key by key, or
        holds values that are no numbers; where the store cannot be written.
    """
    file = Path(file)
    trunk = blank_encoder(encoder).trunk

    def match(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return match_trunk(trunk, tensors, file)

    tensors = read_checkpoint(file, match)
    for name, tensor in match(tensors).items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{file}: {shown([name])} holds values that are no numbers")
    source_sha256, source_size = _fingerprint(file)
    header = WeightsHeader(
        encoder=encoder,
        source_file=shown([source_file or file.name]),
        source_sha256=source_sha256,
        source_size=source_size,
        source_repository=source_repository,
        content_sha256=content_hash(tensors),
    )
    path = store.path_for(encoder, source_sha256)
    try:
        clear_abandoned(store.folder)
        _keep(tensors, header, path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{path}: cannot be written ({reason})") from error
    return StoredWeights(path, header)


def _fingerprint(file: Path) -> tuple[str, int]:
    """Return the sha256 and the size of a file that another process may take away meanwhile."""
    try:
        with open_regular(file) as raw:
            sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
            return sha256, raw.tell()
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror})") from error


def _keep(tensors: Mapping[str, Tensor], header: WeightsHeader, path: Path) -> None:
    """Write a file of the store, whole or not at all."""
    described = {name: str(value) for name, value in header.model_dump().items()}
    # flushed: gigabytes would wait in the write cache long after success was reported
    with atomic_file(path, flush=True) as new:
        # safetensors writes no tensor that is a view of another
        save_file(apart(tensors), new, metadata={"format": "pt", **described})


def verify_weights(path: Path) -> StoredWeights:
    """Check that a file of the store is still, bit by bit, what was imported.

    Parameters
    ----------
    path : Path

    Returns
    -------
    StoredWeights

    Raises
    ------
    WeightsError
        Where it is not.
    """
    stored = read_header(path)
    if file_content_hash(path) != stored.header.content_sha256:
        raise WeightsError(
            f"{path}: damaged, its tensors are not those that were imported; "
            "delete it and fetch or import again"
        )
    return stored


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """Hash tensors: sha256 over the name, dtype, shape and bytes of each, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        digest.update(f"{name}\n{tensor.dtype}\n{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
