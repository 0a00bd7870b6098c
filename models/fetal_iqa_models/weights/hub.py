"""Ask a hub for a file: what it holds, and the file from a byte on; believe nothing blindly.

huggingface_hub looks the file up, sends the login that this machine has, to the hub alone, and
opens the connections. Every answer has a deadline, and nothing that a server writes is in an error.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, get_session, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers

from fetal_iqa_models.errors import WeightsError
from fetal_iqa_models.registry import WeightsSource
from fetal_iqa_models.untrusted.bounds import LARGEST_CHECKPOINT
from fetal_iqa_models.weights.deadline import NoAnswerError, within

_TIMEOUT_S = 30.0  # the hub's own 10 s are short for a clinic's connection
_ANSWER_S = 90.0
"""For an answer as a whole, redirects included: a server that sends a byte now and then never
exceeds the time-out above."""

_MOST_REDIRECTS = 20  # what httpx2 follows, too

_COMMIT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_HEADERS = {"user-agent": "napari-fetal-iqa"}  # the hub's own names this machine's Python and torch


class HubError(WeightsError):
    """The hub does not give the file; a person may still get it by other ways."""


def page(source: WeightsSource) -> str:
    """Address from which a person can download the file."""
    return hf_hub_url(
        source.repository, source.file, revision=source.revision, endpoint=_endpoint()
    )


@dataclass(frozen=True)
class Remote:
    """A file as the hub has it at this moment.

    Parameters
    ----------
    url : str
        Of this very commit.
    size : int
    sha256 : str or None
        None where neither the hub nor we know it.
    commit : str
    key : str
        Of this very content, for the name of the partial file.
    """

    url: str
    size: int
    sha256: str | None
    commit: str
    key: str


def look_up(source: WeightsSource) -> Remote:
    """Ask the hub what it holds, and compare that with what we know.

    Raises
    ------
    HubError
    """
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
    return Remote(url, size, sha256, commit, key[:16])


@contextmanager
def open_from(url: str, start: int) -> Iterator[httpx2.Response]:
    """Open a file from a byte on; redirects to the storage are followed, without the login.

    Raises
    ------
    HubError
    """
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
            raise _refusal(response.status_code)
        yield response


@contextmanager
def _hub_errors() -> Iterator[None]:
    """Turn what keeps us from the hub into one line; nothing that the server wrote is in it."""
    try:
        yield
    except HubError:
        raise
    except HfHubHTTPError as error:
        gone = isinstance(error, RepositoryNotFoundError)
        raise _refusal(401 if gone else error.response.status_code) from error
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


def _refusal(status: int) -> HubError:
    if status in (401, 403):
        why = "the hub asks for a login: the repository is gone, or has terms to accept there"
        return HubError(f"{why} (then log in with: hf auth login)", why)
    with suppress(ValueError):
        return HubError(f"the hub answers {status} {HTTPStatus(status).phrase}")
    return HubError(f"the hub answers {status}")


def _endpoint() -> str:
    # by hand: the hub reads it once, at its import, and takes an empty one for an address
    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
