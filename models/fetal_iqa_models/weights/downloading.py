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
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers

from fetal_iqa_models.errors import WeightsError
from fetal_iqa_models.registry import WeightsSource
from fetal_iqa_models.untrusted.bounds import LARGEST_CHECKPOINT
from fetal_iqa_models.weights.deadline import NoAnswerError, within

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with bytes here and bytes in all."""

_TIMEOUT_S = 30.0  # the hub's own 10 s are short for a clinic's connection
_ANSWER_S = 90.0
"""For an answer as a whole, redirects included: a server that sends a byte now and then never
exceeds the time-out above."""

_MOST_REDIRECTS = 20  # what httpx2 follows, too

_STALL_S, _STALL_BYTES = 60.0, 6000
"""A download goes on as long as it moves, and this is not moving: GPRS brings thirty times as much,
and 1.7 GB would take half a year."""

_COMMIT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
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
    ask = partial(get_hf_file_metadata, page(source), timeout=_TIMEOUT_S, headers=_HEADERS)
    with _hub_errors():
        found = within(_ANSWER_S, ask)
    etag, size = found.etag or "", found.size
    if size is not None and not 0 < size <= LARGEST_CHECKPOINT:
        raise HubError(f"{source.repository} says a size that no weights file has")
    # it goes into an address, and into what is kept
    said = _COMMIT.fullmatch(found.commit_hash or "")
    commit = said[0] if said else source.revision
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
    remote: _Remote, file: BinaryIO, here: int, progress: Progress | None, pace: _Pace
) -> int:
    with _open(remote.url, here) as response:
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

    def ask() -> httpx2.Response:
        client = get_session()
        sent = build_hf_headers(headers=headers)
        request = client.build_request("GET", url, headers=sent, timeout=_TIMEOUT_S)
        # one by one: the client reads what a redirect says, and that may have no end
        for _ in range(_MOST_REDIRECTS):
            response = client.send(request, stream=True, follow_redirects=False)
            if response.next_request is None:
                return response
            response.close()
            request = response.next_request
        raise httpx2.TooManyRedirects("too many redirects", request=request)

    with _hub_errors():
        response = within(_ANSWER_S, ask, undo=httpx2.Response.close)
    with closing(response):
        # not by hf_raise_for_status: it reads the text of a refusal, which may have no end
        if response.status_code not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
            raise HubError(_refusal(response.status_code))
        yield response


def _arriving(response: httpx2.Response) -> Iterator[bytes]:
    """Hand on what comes as it comes, until the connection ends or breaks."""
    with suppress(httpx2.HTTPError):
        yield from response.iter_raw()


@contextmanager
def _hub_errors() -> Iterator[None]:
    """Turn what keeps us from the hub into one line; nothing that the server wrote is in it."""
    try:
        yield
    except HubError:
        raise
    except HfHubHTTPError as error:
        gone = isinstance(error, RepositoryNotFoundError)
        raise HubError(_refusal(401 if gone else error.response.status_code)) from error
    except (NoAnswerError, httpx2.TimeoutException) as error:
        raise HubError("no connection to the hub (no answer in time)") from error
    except (httpx2.RemoteProtocolError, httpx2.TooManyRedirects, httpx2.DecodingError) as error:
        raise HubError("no connection to the hub (what answers is no hub)") from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise HubError("no connection to the hub (an address is malformed)") from error
    # OSError: the hub knows to be offline; ImportError, ValueError: a proxy of a kind not handled
    except (httpx2.HTTPError, OSError, ImportError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise HubError(f"no connection to the hub ({reason})") from error
    except Exception as error:  # the hub's library does not foresee every answer
        raise HubError("no connection to the hub (its answer makes no sense)") from error


def _refusal(status: int) -> str:
    if status in (401, 403):
        return (
            "the hub asks for a login: the repository is gone, or has terms to accept there "
            "(then log in with: hf auth login)"
        )
    with suppress(ValueError):
        return f"the hub answers {status} {HTTPStatus(status).phrase}"
    return f"the hub answers {status}"


def _endpoint() -> str:
    # by hand: the hub reads it once, at its import, and takes an empty one for an address
    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
