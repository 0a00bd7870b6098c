"""Download one file of a hub repository: go on after a cut, and believe only its sha256.

huggingface_hub looks the file up, sends the login that this machine has, to the hub alone, and
opens the connections. Going on after a cut is ours: with 2.4.0, ``hf_hub_download`` deletes what a
broken download has brought, and ``http_get`` keeps whole pieces of 10 MB only, so that a clinic's
connection that breaks sooner never gets the 1.7 GB.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from fetal_iqa_models.errors import WeightsError
from fetal_iqa_models.registry import WeightsSource

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with bytes here and bytes in all."""

_TIMEOUT_S = 30.0  # the hub's own 10 s are short for a clinic's connection
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_HEADERS = {"user-agent": "napari-fetal-iqa"}  # the hub's own names this machine's Python and torch


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


class HubError(WeightsError):
    """The hub does not give the file; a person may still get it by other ways."""


def page(source: WeightsSource) -> str:
    """Address from which a person can download the file."""
    return hf_hub_url(
        source.repository, source.file, revision=source.revision, endpoint=_endpoint()
    )


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
    remote = _look_up(source)
    path = folder / f"{remote.key}-{source.file}"
    try:
        _complete(remote, path, progress)
        _verify(remote, path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror})") from error
    return Download(path, remote.commit)


@dataclass(frozen=True)
class _Remote:
    url: str
    size: int
    sha256: str | None  # None where neither the hub nor we know it
    commit: str
    key: str  # of this very content, for the name of the partial file


def _look_up(source: WeightsSource) -> _Remote:
    """Ask the hub what it holds, and compare that with what we know."""
    for switch in _OFFLINE:  # the hub reads them once, at its import, and does not say which it was
        if os.environ.get(switch, "").upper() in constants.ENV_VARS_TRUE_VALUES:
            raise HubError(f"no download: {switch} is set")
    with _hub_errors():
        found = get_hf_file_metadata(page(source), timeout=_TIMEOUT_S, headers=_HEADERS)
    etag, size = found.etag or "", found.size
    commit = found.commit_hash or source.revision
    sha256 = etag if re.fullmatch(r"[0-9a-f]{64}", etag) else source.sha256
    if source.sha256 not in (None, sha256) or (source.size or size) != size:
        raise HubError(
            f"{source.repository} now holds another file of {size or '?'} bytes, sha256 {sha256}; "
            f"expected {source.size or '?'} bytes, sha256 {source.sha256}"
        )
    if size is None:
        raise HubError(f"{source.repository} does not say the size of the file")
    url = hf_hub_url(source.repository, source.file, revision=commit, endpoint=_endpoint())
    key = sha256 or hashlib.sha256(f"{url} {etag}".encode()).hexdigest()
    return _Remote(url, size, sha256, commit, key[:16])


def _complete(remote: _Remote, path: Path, progress: Progress | None) -> None:
    """Bring what is missing, as long as every attempt brings something."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()  # under its own name from the start, not by atomic_file: the part must outlive us
    here = path.stat().st_size
    if remote.size - here > shutil.disk_usage(path.parent).free:
        raise WeightsError(
            f"{path.parent}: no room for {remote.size / 1e9:.1f} GB; free some, then go on"
        )
    while here < remote.size:
        before = here
        with path.open("rb+") as file:
            here = _continue(remote, file, here, progress)
        if here <= before:
            raise HubError(
                f"the connection broke at {before} of {remote.size} bytes; "
                "what came is kept, the same command goes on from there"
            )
        logger.info("%s: %d of %d bytes", path.name, here, remote.size)


def _continue(remote: _Remote, file: BinaryIO, here: int, progress: Progress | None) -> int:
    with _open(remote.url, here) as response:
        if response.status_code != httpx2.codes.PARTIAL_CONTENT:  # this server starts again
            here = 0
        file.seek(here)
        for chunk in _arriving(response):
            file.write(chunk[: remote.size - here])
            here = min(here + len(chunk), remote.size)
            if progress:
                progress(here, remote.size)
            if here == remote.size:
                break
    return here


def _verify(remote: _Remote, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if path.stat().st_size == remote.size and remote.sha256 in (None, found):
        return
    path.unlink(missing_ok=True)
    raise HubError(
        f"{path.name}: not what was published (sha256 {found}, expected {remote.sha256}) and "
        "deleted; try again"
    )


@contextmanager
def _open(url: str, start: int) -> Iterator[httpx2.Response]:
    """Open the file from a byte on; redirects to the storage are followed, without the login."""
    headers = {**_HEADERS, "accept-encoding": "identity", "range": f"bytes={start}-"}
    with ExitStack() as stack:
        with _hub_errors():
            response = stack.enter_context(
                get_session().stream(
                    "GET", url, headers=build_hf_headers(headers=headers), timeout=_TIMEOUT_S
                )
            )
            hf_raise_for_status(response)
        yield response


def _arriving(response: httpx2.Response) -> Iterator[bytes]:
    """Hand on what comes as it comes, until the connection ends or breaks."""
    with suppress(httpx2.HTTPError):
        yield from response.iter_raw()


@contextmanager
def _hub_errors() -> Iterator[None]:
    """Turn what keeps us from the hub into one line."""
    try:
        yield
    except HfHubHTTPError as error:
        raise HubError(_refusal(error)) from error
    # OSError: the hub knows to be offline; ImportError, ValueError: a proxy of a kind not handled
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ImportError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise HubError(f"no connection to the hub ({reason})") from error


def _refusal(error: HfHubHTTPError) -> str:
    status = error.response.status_code
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return (
            "the hub asks for a login: the repository is gone, or has terms to accept there "
            "(then log in with: hf auth login)"
        )
    return f"the hub answers {status} {error.response.reason_phrase}"


def _endpoint() -> str:
    # by hand: the hub reads it once, at its import, and takes an empty one for an address
    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
