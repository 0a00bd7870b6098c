"""A model as one file, to be sent to a colleague: written byte for byte alike, read warily."""

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fetal_iqa_models.atomic_file import atomic_file
from fetal_iqa_models.cards import MODEL_FILES, is_there, model_hash, resolve_model
from fetal_iqa_models.compiled.graph_folder import CARD_FILE, GRAPH_FILE, WEIGHTS_FILE
from fetal_iqa_models.errors import ModelError
from fetal_iqa_models.licences import LICENCE_FILE, licence_text
from fetal_iqa_models.untrusted.model_archive import ModelArchive, open_model_archive
from fetal_iqa_models.untrusted.regular import open_regular
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError
from napari_fetal_iqa.model_library.soundness import check_files

MANIFEST = "packed.json"
"""File of a packed model that says what is in it; it is not part of the model."""

_SENT = (*MODEL_FILES, LICENCE_FILE)
"""What is unpacked, where it is there."""
_GRAPH = (CARD_FILE, GRAPH_FILE, WEIGHTS_FILE)
_KNOWN = frozenset((*_SENT, *_GRAPH, MANIFEST))
_DIGEST = r"^[0-9a-f]{64}$"
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest of zip: when and where it was packed is not told
_PIECE = 1 << 20


class PackedFile(BaseModel):
    """Size and sha256 of one file of a packed model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=_DIGEST)


class Manifest(BaseModel):
    """What a packed model holds: ``packed.json`` of the archive.

    Parameters
    ----------
    format : "napari-fetal-iqa model"
    version : 1
    model : str
        Hash of the model folder.
    files : dict of str to PackedFile
        By name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["napari-fetal-iqa model"] = "napari-fetal-iqa model"
    version: Literal[1] = 1
    model: str = Field(pattern=_DIGEST)
    files: dict[str, PackedFile]


def pack_model(reference: Path | str, file: Path, graph: Path | None = None) -> Path:
    """Write a model into one file; the same model gives the same bytes on every machine.

    With a graph it computes where there is no torch, too; that of another version of OpenVINO may
    have other bytes.

    Nothing but the files of the model goes in, and its licence as the card has it: no names of
    folders, people or machines, no times.
    Nothing is compressed, as weights hardly shrink and compressors differ in their bytes.

    Parameters
    ----------
    reference : path or str
        A model folder, or the name of a shipped model.
    file : Path
        Must not exist yet.
    graph : Path, optional
        Folder of the model's graph, to go with it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        Where the model is damaged, the file exists, or the disk refuses.
    """
    licence = licence_text(check_files(reference)).encode()
    folder = resolve_model(reference)
    if file.exists():
        raise ModelError(f"{file}: exists already, and is not overwritten; choose another name")
    names = [name for name in MODEL_FILES if is_there(folder / name)]
    places = {name: folder / name for name in names}
    if graph is not None:
        places |= {name: graph / name for name in _GRAPH}
    described = {name: _described(place) for name, place in places.items()}
    manifest = Manifest(
        model=model_hash(folder),
        files={LICENCE_FILE: PackedFile(bytes=len(licence), sha256=_sha256(licence)), **described},
    )
    try:
        with (
            atomic_file(file, flush=True) as new,
            zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as archive,
        ):
            text = manifest.model_dump_json(indent=1).encode()
            _write(archive, MANIFEST, len(text), [text])
            _write(archive, LICENCE_FILE, len(licence), [licence])
            for name, place in places.items():
                size = manifest.files[name].bytes
                _write(archive, name, size, _pieces(place, manifest.files[name]))
    except OSError as error:
        raise ModelError(f"{file}: cannot be written ({error.strerror})") from error
    return file


def _described(path: Path) -> PackedFile:
    try:
        with open_regular(path) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return PackedFile(bytes=file.tell(), sha256=sha256)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _pieces(path: Path, expected: PackedFile) -> Iterator[bytes]:
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != expected.sha256:
        raise ModelError(f"{path}: was changed while it was packed; pack it again")


def _write(
    archive: zipfile.ZipFile, name: str, size: int, pieces: Iterator[bytes] | list[bytes]
) -> None:
    record = zipfile.ZipInfo(name, _TIME)
    record.create_system = 3  # Unix, also where this is Windows
    record.external_attr = (stat.S_IFREG | 0o644) << 16
    record.file_size = size
    with archive.open(record, "w", force_zip64=size > 1 << 31) as out:
        for piece in pieces:
            out.write(piece)


def unpack_model(source: Path, folder: Path, graph: Path | None = None) -> None:
    """Copy the files of a model into an empty folder: from a packed model, or from a folder.

    Parameters
    ----------
    source : Path
        A file of :func:`pack_model`, a zip archive of a model folder, or the folder itself.
    folder : Path
        Must exist.
    graph : Path, optional
        Existing folder for the graph, where one is packed; left out by default.

    Raises
    ------
    ModelError
        Where the source is not a model, or not the one that was packed.
    OSError
        Where the disk refuses.
    """
    if source.is_dir():
        _copy(source, folder)
    else:
        _extract(source, folder, graph)


def _copy(source: Path, folder: Path) -> None:
    names = [name for name in _SENT if is_there(source / name)]
    if not set(names) - {LICENCE_FILE}:
        raise ModelError(f"{source}: no model folder; choose the folder that holds model.json")
    for name in names:
        with open_regular(source / name) as old, (folder / name).open("xb") as new:
            shutil.copyfileobj(old, new, _PIECE)
            _flush(new)


def _extract(source: Path, folder: Path, graph: Path | None) -> None:
    try:
        file = open_regular(source)
    except OSError as error:
        raise ModelError(f"{source}: cannot be read ({error.strerror})") from error
    try:
        with file, open_model_archive(file, _KNOWN) as archive:
            _extract_files(archive, folder, graph)
    except RefusedError as error:
        raise ModelError(f"{source}: {error}") from error
    except (DamagedError, ValidationError) as error:
        raise ModelError(
            f"{source}: not a packed model, or damaged on its way; have it sent again"
        ) from error


def _extract_files(archive: ModelArchive, folder: Path, graph: Path | None) -> None:
    sizes = archive.sizes
    manifest = None
    if MANIFEST in sizes:
        manifest = Manifest.model_validate_json(archive.read(MANIFEST))
    names = [name for name in (*_SENT, *_GRAPH) if name in sizes]
    announced = names if manifest is None else manifest.files
    if not set(names) & set(MODEL_FILES) or set(announced) != set(names):
        raise DamagedError
    if sum(sizes.values()) > shutil.disk_usage(folder).free:
        raise RefusedError("needs more room than the disk has; free some, then add it again")
    for name in names:
        place = graph if name in _GRAPH else folder
        found = _unpack(archive, name, None if place is None else place / name)
        if manifest is not None and manifest.files[name] != found:
            raise DamagedError
    if manifest is not None and manifest.model != model_hash(folder):
        raise DamagedError


def _unpack(archive: ModelArchive, name: str, place: Path | None) -> PackedFile:
    """Unpack a file; one that nobody wants is looked at all the same."""
    digest = hashlib.sha256()
    with nullcontext() if place is None else place.open("xb") as new:
        for piece in archive.pieces(name):
            digest.update(piece)
            if new is not None:
                new.write(piece)
        if new is not None:
            _flush(new)
    return PackedFile(bytes=archive.sizes[name], sha256=digest.hexdigest())


def _flush(file: BinaryIO) -> None:
    """Have a file on disk before its folder gets its name."""
    file.flush()
    os.fsync(file.fileno())
