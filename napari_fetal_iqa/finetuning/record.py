"""What ``job.json`` says of a training, and where such folders lie."""

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_iqa_models.atomic_file import write_atomically
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.model_library.in_use import Task
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.paths import read_small_text

FILE_NAME = "job.json"


class FinetuningError(FetalIqaError):
    """A training cannot be started, or what it made cannot be taken away."""


class JobRecord(BaseModel):
    """What is known of a training from its start; no sweep is named.

    Parameters
    ----------
    command : tuple of str
    tasks : tuple of {"cls", "seg"}
    pid : int
    birth : str or None
        See :func:`~napari_fetal_iqa.finetuning.process.birth`.
    started : datetime
        UTC.
    outs : dict of task to Path
        The model folders that it makes.
    store : Path
        Corrections store that it reads.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    command: tuple[str, ...]
    tasks: tuple[Task, ...]
    pid: int
    birth: str | None
    started: datetime
    outs: dict[Task, Path]
    store: Path

    def write(self, folder: Path) -> None:
        """Write it into the folder of the training; OSError where the disk refuses."""
        write_atomically(folder / FILE_NAME, self.model_dump_json(indent=1))


def read_record(folder: Path) -> JobRecord:
    """Read the record of a training.

    Raises
    ------
    FinetuningError
        Where the folder holds no training.
    """
    try:
        return JobRecord.model_validate_json(read_small_text(folder / FILE_NAME))
    except (OSError, ValidationError):
        raise FinetuningError(f"{folder}: holds no training") from None


def jobs_folder() -> Path:
    """Folder of the trainings of this machine."""
    return paths.home().absolute() / "learning"  # as version 0.1.0 called it
