"""Locks that let any number of processes, on any machines of a cluster, work in one folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fetal_iqa_training.errors import TrainingError

LOCKS = ".locks"
"""Folder of the locks, in that of the results."""


def lock_of(out: Path, name: str) -> FileLock:
    """Return the lock of a name in a folder of results; the system frees it when its owner dies."""
    folder = out / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{name}.lock")


@contextmanager
def claimed(out: Path, name: str) -> Iterator[bool]:
    """Hold the lock of a piece of work; False where another process makes it.

    Raises
    ------
    TrainingError
        Where the drive refuses to lock a file.
    """
    lock = lock_of(out, name)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise TrainingError(
            f"{out}: no file can be locked there ({error.strerror}); choose another folder"
        ) from error
    try:
        yield True
    finally:
        lock.release()
