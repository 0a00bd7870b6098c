"""Locks that let any number of processes, on any machines of a cluster, work in one folder."""

from pathlib import Path

from filelock import FileLock

from fetal_iqa_training.errors import TrainingError

LOCKS = ".locks"
"""Folder of the locks, in that of the results."""


def lock_of(out: Path, name: str) -> FileLock:
    """Return the lock of a name in a folder of results; the system frees it when its owner dies.

    Raises
    ------
    TrainingError
        Where the folder lies on a drive that knows no locks.
    """
    folder = out / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder / f"{name}.lock")
    except NotImplementedError:
        raise TrainingError(f"{out}: on a drive without file locks; choose another") from None
