"""Download one file of a hub repository: go on after a cut, and believe only its sha256.

With huggingface_hub 2.4.0, ``hf_hub_download`` deletes what a broken download has brought, and
``http_get`` keeps whole pieces of 10 MB only, so that a clinic's connection that breaks sooner
never gets the 1.7 GB.
"""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx2

from fetal_iqa_models.errors import WeightsError
from fetal_iqa_models.registry import WeightsSource
from fetal_iqa_models.weights.hub import HubError, Remote, look_up, open_from

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with bytes here and bytes in all."""

_STALL_S, _STALL_BYTES = 60.0, 6000
"""A download goes on as long as it moves, and this is not moving: GPRS brings thirty times as much,
and 1.7 GB would take half a year."""


@dataclass(frozen=True)
class Download:
    """A file that was downloaded whole and checked.

    Parameters
    ----------
    path : Path
    commit : str
        Of the repository; its revision where the hub does not say the commit.
    """

    path: Path
    commit: str


def download(source: WeightsSource, folder: Path, progress: Progress | None = None) -> Download:
    """Download a published file, or what is missing of it.

    What an earlier attempt has brought is kept and continued. Any number of processes may
    download the same file at once: they write the same bytes to the same places.

    Parameters
    ----------
    source : WeightsSource
    folder : Path
        For the file, which may be deleted once it is no longer needed.
    progress : callable, optional

    Returns
    -------
    Download

    Raises
    ------
    HubError
        Where the hub cannot be reached or does not hold this file, where the connection
        breaks, or what came is not what was published.
    WeightsError
        Where the disk is full or cannot be written.
    """
    remote = look_up(source)
    path = folder / f"{remote.key}-{source.file}"
    clear_downloads(folder, keep=path)
    try:
        _complete(remote, path, progress)
        _verify(remote, path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error
    return Download(path, remote.commit)


def clear_downloads(folder: Path, keep: Path | None = None) -> None:
    """Delete what earlier downloads have left, but for one file: the hub has replaced the others.

    Parameters
    ----------
    folder : Path
        For the downloads of one encoder; need not exist.
    keep : Path, optional
    """
    with suppress(OSError):  # not there, or another process clears it
        for left in folder.iterdir():
            if left != keep:
                left.unlink()
        if keep is None:
            folder.rmdir()


def _complete(remote: Remote, path: Path, progress: Progress | None) -> None:
    """Bring what is missing, as long as every attempt brings something."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()  # under its own name from the start, not by atomic_file: the part must outlive us
    here = path.stat().st_size
    if remote.size - here > shutil.disk_usage(path.parent).free:
        raise WeightsError(
            f"{path.parent}: no room for {remote.size / 1e9:.1f} GB; free some, then go on"
        )
    pace = _Pace()
    while here < remote.size:
        before = here
        with path.open("rb+") as file:
            here = _continue(remote, file, here, progress, pace)
        if here <= before:
            raise HubError(
                f"the connection broke at {before} of {remote.size} bytes; "
                "what came is kept, the same command goes on from there"
            )
        logger.info("%s: %d of %d bytes", path.name, here, remote.size)


class _Pace:
    """Notices, over all attempts, that a download moves no more."""

    def __init__(self) -> None:
        self._start, self._bytes = time.monotonic(), 0

    def add(self, arrived: int, here: int, size: int) -> None:
        self._bytes += arrived
        if self._bytes >= _STALL_BYTES:
            self._start, self._bytes = time.monotonic(), 0
        elif time.monotonic() - self._start > _STALL_S:
            raise HubError(
                f"the download stands still at {here} of {size} bytes; "
                "what came is kept, the same command goes on from there"
            )


def _continue(
    remote: Remote, file: BinaryIO, here: int, progress: Progress | None, pace: _Pace
) -> int:
    with open_from(remote.url, here) as response:
        if response.status_code != httpx2.codes.PARTIAL_CONTENT:  # this server starts again
            here = 0
        elif not response.headers.get("content-range", "").startswith(f"bytes {here}-"):
            raise HubError("the hub sends another part of the file than was asked for")
        file.seek(here)
        for chunk in _arriving(response):
            pace.add(len(chunk), here, remote.size)
            file.write(chunk[: remote.size - here])
            here = min(here + len(chunk), remote.size)
            if progress:
                progress(here, remote.size)
            if here == remote.size:
                break
    return here


def _verify(remote: Remote, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if path.stat().st_size == remote.size and remote.sha256 in (None, found):
        return
    path.unlink(missing_ok=True)
    raise HubError(
        f"{path.name}: not what was published (sha256 {found}, expected {remote.sha256}) and "
        "deleted; try again"
    )


def _arriving(response: httpx2.Response) -> Iterator[bytes]:
    """Hand on what comes as it comes, until the connection ends or breaks."""
    with suppress(httpx2.HTTPError):
        yield from response.iter_raw()
