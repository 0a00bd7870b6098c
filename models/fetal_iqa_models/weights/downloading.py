"""Download one file of a hub repository: go on after a cut, and believe only its sha256.

Plain HTTP: huggingface_hub (2.4) throws away what a broken download has brought, which a
clinic's connection cannot afford for 1.7 GB. The addresses, ``HF_ENDPOINT``, ``HF_HUB_OFFLINE``
and ``TRANSFORMERS_OFFLINE`` are the hub's own.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, urlopen

from huggingface_hub import constants, hf_hub_url

from fetal_iqa_models.errors import WeightsError
from fetal_iqa_models.registry import WeightsSource

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with bytes here and bytes in all."""

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


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
    for switch in _OFFLINE:
        if os.environ.get(switch, "").upper() in constants.ENV_VARS_TRUE_VALUES:
            raise HubError(f"no download: {switch} is set")
    headers = _head(page(source))
    etag = headers.get("X-Linked-Etag", headers.get("ETag", "")).removeprefix("W/").strip('"')
    size = headers.get("X-Linked-Size", headers.get("Content-Length", ""))
    commit = headers.get("X-Repo-Commit", source.revision)
    sha256 = etag if re.fullmatch(r"[0-9a-f]{64}", etag) else source.sha256
    if source.sha256 not in (None, sha256) or str(source.size or size) != size:
        raise HubError(
            f"{source.repository} now holds another file of {size or '?'} bytes, sha256 {sha256}; "
            f"expected {source.size or '?'} bytes, sha256 {source.sha256}"
        )
    if not size.isdigit():
        raise HubError(f"{source.repository} does not say the size of the file")
    url = hf_hub_url(source.repository, source.file, revision=commit, endpoint=_endpoint())
    key = sha256 or hashlib.sha256(f"{url} {etag}".encode()).hexdigest()
    return _Remote(url, int(size), sha256, commit, key[:16])


def _complete(remote: _Remote, path: Path, progress: Progress | None) -> None:
    """Bring what is missing, as long as every attempt brings something."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
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


def _continue(remote: _Remote, file: Any, here: int, progress: Progress | None) -> int:
    with _open(Request(remote.url, headers=_headers(Range=f"bytes={here}-"))) as response:
        if response.status != 206:  # this server starts again
            here = 0
        file.seek(here)
        while here < remote.size and (chunk := _read(response)):
            file.write(chunk[: remote.size - here])
            here = min(here + len(chunk), remote.size)
            if progress:
                progress(here, remote.size)
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


class _WithinHub(HTTPRedirectHandler):
    """Follow the hub's own redirects, not those to the storage behind it, which knows less."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            following.method = req.get_method()
        return following


def _head(url: str) -> Any:
    request = Request(url, headers=_headers(), method="HEAD")
    try:
        with build_opener(_WithinHub).open(request, timeout=_TIMEOUT_S) as response:
            return response.headers
    except HTTPError as error:
        if error.code in (301, 302, 303, 307, 308):
            return error.headers
        raise HubError(_refusal(error)) from error
    except (OSError, HTTPException) as error:
        raise HubError(_no_network(error)) from error


def _open(request: Request) -> HTTPResponse:
    try:
        response: HTTPResponse = urlopen(request, timeout=_TIMEOUT_S)
    except HTTPError as error:
        raise HubError(_refusal(error)) from error
    except (OSError, HTTPException) as error:
        raise HubError(_no_network(error)) from error
    return response


def _read(response: HTTPResponse) -> bytes:
    """Return the next bytes; none where the connection ends or breaks."""
    try:
        return response.read(_CHUNK)
    except (OSError, HTTPException):
        return b""


def _headers(**more: str) -> dict[str, str]:
    return {"User-Agent": "napari-fetal-iqa", "Accept-Encoding": "identity", **more}


def _refusal(error: HTTPError) -> str:
    if error.code in (401, 403):
        return "the hub asks for a login: the repository is gone, or has terms to accept there"
    return f"the hub answers {error.code} {error.reason}"


def _no_network(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return f"no connection to the hub ({reason})"


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
