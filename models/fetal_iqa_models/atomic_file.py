"""Write a file or a folder whole or not at all.

What is new is written beside its place and renamed: whoever reads meanwhile finds the old or the
new one, and a program that dies leaves the old one. Torch-free.
"""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a folder with an open file cannot be renamed
    fcntl = None  # type: ignore[assignment]

_WRITING = ".writing-"
_YOUNG_S = 60.0
"""An empty folder may have been made just now; nobody takes longer to begin."""


@contextmanager
def atomic_file(path: Path, flush: bool = False) -> Iterator[Path]:
    """Open a block that writes a new file, which takes its name once the block ends.

    Where the block raises, what stood at ``path`` stays. Any number of processes may write the
    same file at once: the last one to end wins.

    Parameters
    ----------
    path : Path
        Missing folders are made.
    flush : bool
        Have the content on disk before the name is: a power cut right after leaves no empty file
        under it. It takes as long as the disk needs.

    Yields
    ------
    Path
        Where to write: a file of the same ending, in small letters.

    Raises
    ------
    OSError
        Where the disk refuses.
    """
    # A folder of its own: no pattern that lists the files of the real one finds what is half
    # written, and the ending stays, in small letters, by which ITK and others choose the format.
    folder = path.with_name(f"{_WRITING}{_unique()}")
    mark = None
    try:
        folder.mkdir(parents=True)
        mark = _mark_as_ours(folder)
        new = folder / path.name.lower()
        yield new
        if flush:
            _flush(new)
        os.replace(new, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if mark is not None:
            os.close(mark)


def clear_abandoned(folder: Path) -> None:
    """Delete what programs that were killed have half written with :func:`atomic_file`.

    What another process is writing at this moment stays.

    Parameters
    ----------
    folder : Path
        In which they wrote; need not exist.
    """
    for left in folder.glob(f"{_WRITING}*"):
        with suppress(OSError):  # somebody writes there, or clears it, too
            _clear_if_abandoned(left)


def _clear_if_abandoned(left: Path) -> None:
    mark = _open_folder(left)
    try:
        if mark is not None:
            fcntl.flock(
                mark, fcntl.LOCK_EX | fcntl.LOCK_NB
            )  # the system lets go of it when its owner dies
        if any(left.iterdir()) or time.time() - left.stat().st_mtime > _YOUNG_S:
            aside = left.rename(left.with_name(f"{_WRITING}{_unique()}"))
            shutil.rmtree(aside, ignore_errors=True)
    finally:
        if mark is not None:
            os.close(mark)


def _mark_as_ours(folder: Path) -> int | None:
    """Hold a lock on a folder as long as this process lives."""
    mark = _open_folder(folder)
    if mark is not None:
        with suppress(OSError):  # a network drive without locks; there nothing is cleared, either
            fcntl.flock(mark, fcntl.LOCK_EX)
    return mark


def _open_folder(folder: Path) -> int | None:
    return None if fcntl is None else os.open(folder, os.O_RDONLY)


@contextmanager
def atomic_folder(folder: Path, flush: bool = False) -> Iterator[Path]:
    """Open a block that fills a new folder, which takes its name once the block ends.

    Parameters
    ----------
    folder : Path
        Must not exist yet, unless empty; missing parents are made.
    flush : bool
        Have the folder's files on disk before their name is, as for :func:`atomic_file`.

    Yields
    ------
    Path
        The folder to fill, ``.<name>.<eight digits>`` beside the other: by this name, what a
        program that was killed has left is found and cleared away.

    Raises
    ------
    OSError
        Where the disk refuses, or the folder was made meanwhile.
    """
    new = folder.with_name(f".{folder.name}.{_unique()}")
    try:
        new.mkdir(parents=True)
        yield new
        if flush:
            for file in new.iterdir():
                _flush(file)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file whole or not at all, in UTF-8; only its owner may read it.

    Parameters
    ----------
    path : Path
        Missing folders are made.
    text : str

    Raises
    ------
    OSError
        Where the disk refuses.
    """
    with atomic_file(path) as new:
        new.touch(mode=0o600)  # settings and lists of sweeps name patients' files
        new.write_text(text, encoding="utf-8")


def _unique() -> str:
    return uuid.uuid4().hex[:8]


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
