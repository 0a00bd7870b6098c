"""The store of pretrained weights: a folder of safetensors files that record their origin.

Nothing in the folder is ever changed: a file is written whole under another name and renamed,
so that any number of processes may read and write at once without a lock. Torch-free.
"""

import logging
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fetal_iqa_models.errors import ModelError, WeightsError
from fetal_iqa_models.registry import encoder_spec
from fetal_iqa_models.untrusted.tensor_header import read_tensor_header
from fetal_iqa_models.untrusted.verdicts import DamagedError, RefusedError

logger = logging.getLogger(__name__)

SHIPPED = Path(str(resources.files("fetal_iqa_models"))) / "shipped"
"""Where the weights are that come with the package, as in a store; only read."""

_SHA256 = r"^[0-9a-f]{64}$"
_DIGITS = 16  # 64 bits: no two checkpoints meet by chance, and people can compare them
"""Of a checkpoint's sha256, in the name of the file that it was converted to."""


class WeightsHeader(BaseModel):
    """What a file of the store records of itself, in the metadata of its safetensors header.

    Parameters
    ----------
    encoder : str
        Name in the table of encoders.
    source_file : str
        Name of the checkpoint that was converted.
    source_sha256 : str
        Of that checkpoint; model cards name their encoder's weights by it.
    source_size : int
        Of that checkpoint, in bytes.
    source_repository : str
        Repository and commit that it was fetched from; empty for a file that was given.
    content_sha256 : str
        Of the tensors; see :func:`~fetal_iqa_models.weights.importing.content_hash`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    encoder: str = Field(min_length=1, max_length=200)
    source_file: str = Field(min_length=1, max_length=500)
    source_sha256: str = Field(pattern=_SHA256)
    source_size: int = Field(ge=0)
    source_repository: str = Field(default="", max_length=500)
    content_sha256: str = Field(pattern=_SHA256)


@dataclass(frozen=True)
class StoredWeights:
    """Pretrained weights of one encoder, in the store.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file that :func:`~fetal_iqa_models.load_encoder` takes.
    header : WeightsHeader
    """

    path: Path
    header: WeightsHeader

    @property
    def published(self) -> bool:
        """Whether this is the file that the table of encoders names as the source.

        By its sha256 where the table knows it, else by its having been fetched from there.
        """
        source = encoder_spec(self.header.encoder).source
        if source is None:
            return False
        if source.sha256 is not None:
            return self.header.source_sha256 == source.sha256
        return self.header.source_repository.startswith(f"{source.repository}@")


class WeightsStore:
    """Pretrained weights in a folder.

    Parameters
    ----------
    folder : path
        Need not exist yet.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path_for(self, encoder: str, source_sha256: str) -> Path:
        """Return where the weights of an encoder belong that came from such a checkpoint.

        Parameters
        ----------
        encoder : str
        source_sha256 : str
            Of the checkpoint; its first sixteen digits are in the name.

        Returns
        -------
        Path
            Whether there is such a file or not.
        """
        return self.folder / f"{encoder}-{source_sha256[:_DIGITS]}.safetensors"

    def files(self, encoder: str = "*", source_sha256: str = "") -> list[Path]:
        """Return the weights files of all encoders or of one, readable or not, by name.

        Those that come with the package are not among them, but for an encoder that is named.

        Parameters
        ----------
        encoder : str
            Name of an encoder; ``"*"`` for all.
        source_sha256 : str
            Of the checkpoint that they were converted from; empty for any.

        Returns
        -------
        list of Path
        """
        if encoder != "*":
            encoder = encoder_spec(encoder).weights_of or encoder
        digits = source_sha256[:_DIGITS] or "[0-9a-f]" * _DIGITS
        pattern = f"{encoder}-{digits}.safetensors"
        shipped = SHIPPED.glob(pattern) if encoder != "*" or source_sha256 else ()
        return sorted(self.folder.glob(pattern)) + sorted(shipped)

    def entries(self, encoder: str = "*") -> list[StoredWeights]:
        """Return what there is, for every encoder or for one; published weights come first.

        A file that cannot be read is left out, with a warning in the log.

        Parameters
        ----------
        encoder : str
            Name of an encoder; ``"*"`` for all.

        Returns
        -------
        list of StoredWeights
            By encoder.
        """
        found = []
        for path in self.files(encoder):
            try:
                found.append(read_header(path))
            except WeightsError as error:
                logger.warning("%s", error)
        return sorted(found, key=lambda stored: (stored.header.encoder, not stored.published))

    def find(self, source_sha256: str) -> Path | None:
        """Return the file that was converted from the checkpoint of this sha256, if it is here.

        Parameters
        ----------
        source_sha256 : str
            As a model card names its encoder's weights.

        Returns
        -------
        Path or None
        """
        for path in self.files(source_sha256=source_sha256):
            try:
                if read_header(path).header.source_sha256 == source_sha256:
                    return path
            except WeightsError as error:
                logger.warning("%s", error)
        return None


def read_header(path: Path) -> StoredWeights:
    """Read what a file of the store records of itself.

    Raises
    ------
    WeightsError
        Where the file is missing, damaged, not of a store, or of an encoder that is not known.
    """
    try:
        header = WeightsHeader.model_validate(read_tensor_header(path).metadata)
    except (OSError, DamagedError, RefusedError, ValidationError) as error:
        reason = "damaged"
        if isinstance(error, ValidationError):
            reason = f"{'.'.join(map(str, error.errors()[0]['loc']))} is missing or wrong"
        raise WeightsError(
            f"{path}: not weights that were imported ({reason}); delete it and import again"
        ) from error
    try:
        encoder_spec(header.encoder)
    except ModelError as error:
        raise WeightsError(f"{path}: {error}") from error
    return StoredWeights(path, header)
