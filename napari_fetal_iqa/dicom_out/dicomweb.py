"""An archive by DICOMweb (PS3.18): objects stored in it, and a study fetched from it.

Beyond this machine only by TLS, unless told otherwise; no redirects; answers are bounded in size
and time, and whole; nothing of a patient or a study gets into a message or a log.
"""

import email.message
import io
import ipaddress
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pydicom
import requests

from napari_fetal_iqa.dicom_out.new_folder import check_folder, new_folder
from napari_fetal_iqa.errors import FetalIqaError
from napari_fetal_iqa.io.formats.dicom.data_set import bytes_of, saying_nothing

if TYPE_CHECKING:
    from dicomweb_client.web import DICOMwebClient

TOKEN_VARIABLE: Final = "FETAL_IQA_DICOMWEB_TOKEN"
"""Environment variable with a bearer token; never an option, which other users see in the list of
processes."""
LARGEST_ANSWER: Final = 2 << 30
"""Bytes: six uncompressed sweeps of 351 MB."""
MOST_OBJECTS: Final = 10_000
LONGEST_S: Final = 3600.0
_CONNECT_S, _READ_S = 10.0, 60.0
_ULTRASOUND: Final = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(3|3\.1|6|6\.1|6\.2|6\.3)")
"""Storage classes of ultrasound images, the retired ones, too (PS3.4, B.5 and B.6)."""
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+")
_TAIL_BYTES: Final = 4096
"""Of an answer; some archives send a line behind its end."""
_IN_ONE_PART: Final = 1 << 40
"""Bytes of a message from which on dicomweb-client cuts it; some archives take no cut ones."""


class ArchiveError(FetalIqaError):
    """An archive cannot be reached, refuses, or answers with what it should not."""


class _BoundedSession(requests.Session):
    """A session whose answers end in bounded time and size, and lead nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.max_redirects = 0
        self._ends = time.monotonic() + LONGEST_S

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request; its answer is read as it is asked for."""
        answer = super().send(request, **{**options, "stream": True})
        unbounded = answer.iter_content

        end = _end_of(answer.headers.get("Content-Type", ""))

        def bounded(*arguments: Any, **options: Any) -> Iterator[Any]:
            size, tail = 0, b""
            for chunk in unbounded(*arguments, **options):
                size += len(chunk)
                tail = (tail + chunk)[-_TAIL_BYTES:] if end else tail
                if size > LARGEST_ANSWER:
                    raise ArchiveError(
                        f"the archive sends more than {LARGEST_ANSWER >> 30} GB; fetch the study "
                        f"with another program"
                    )
                if time.monotonic() > self._ends:
                    raise ArchiveError("the archive does not come to an end; try again later")
                yield chunk
            if end not in tail:  # dicomweb-client takes what was cut for a whole answer
                raise ArchiveError("the archive's answer ends too early; try again")

        answer.iter_content = bounded  # type: ignore[method-assign]
        return answer


def _end_of(content_type: str) -> bytes:
    """Return how an answer of several parts ends (RFC 2046, section 5.1.1); empty for others."""
    message = email.message.Message()
    message["Content-Type"] = content_type
    boundary = message.get_boundary()
    return f"--{boundary}--".encode() if boundary else b""


def check_address(url: str, allow_http: bool = False) -> str:
    """Return the root of a DICOMweb service without a slash at its end.

    Raises
    ------
    ArchiveError
        Where it is no address, carries a password, or is beyond this machine without TLS.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ArchiveError(
            "expected the root of a DICOMweb service, as https://archive.example/dicom-web"
        )
    if parts.username or parts.password:
        raise ArchiveError(
            f"{host}: no names and passwords in the address, which other users of this machine may "
            f"see; put a token into {TOKEN_VARIABLE}, or a password into .netrc"
        )
    if parts.scheme == "http" and not allow_http and not is_this_machine(host):
        raise ArchiveError(
            f"{host}: patients' data goes over the network by https:// alone; where the network "
            f"itself is encrypted, give --allow-http"
        )
    return url.rstrip("/")


def is_this_machine(host: str) -> bool:
    """Whether a host's name is one of loopback; a name that has to be looked up is none."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def store(url: str, objects: Mapping[str, bytes], allow_http: bool = False) -> None:
    """Store DICOM objects in an archive, one after the other.

    Parameters
    ----------
    url : str
        Root of the DICOMweb service.
    objects : mapping of str to bytes
        Whole files by names that a message may show.
    allow_http : bool
        Go without TLS beyond this machine.

    Raises
    ------
    ArchiveError
        Where one is not stored; says which, and how many are there already.
    """
    client = _client(url, allow_http, _IN_ONE_PART)
    for number, (name, content) in enumerate(objects.items()):
        done = f"{name} ({number} of {len(objects)} are stored)"
        with _one_line(client.host, f"cannot take {done}"):
            answer = client.store_instances([pydicom.dcmread(io.BytesIO(content))])
            if failed := answer.get("FailedSOPSequence"):
                reason = failed[0].get("FailureReason")
                raise ArchiveError(
                    f"{client.host}: does not take {done}"
                    + (f"; reason {int(reason):04X}" if isinstance(reason, int) else "")
                )


def fetch_study(url: str, study: str, folder: Path, allow_http: bool = False) -> tuple[int, int]:
    """Fetch a study into a folder: its ultrasound images, and all else in a folder within.

    Files are numbered, as what an archive calls its objects names no file here.

    Parameters
    ----------
    url : str
        Root of the DICOMweb service.
    study : str
        Study instance UID.
    folder : Path
        A new or an empty one.
    allow_http : bool

    Returns
    -------
    (int, int)
        Ultrasound images, and other objects.

    Raises
    ------
    ArchiveError
        Where the study cannot be fetched whole; nothing is written then.
    SweepError
        Where the folder holds something, or the disk refuses.
    """
    if not _UID.fullmatch(study) or len(study) > 64:
        raise ArchiveError("expected a study instance UID: numbers with points between them")
    check_folder(folder)
    client = _client(url, allow_http, 1 << 20)
    counts = {True: 0, False: 0}
    with new_folder(folder) as new, _one_line(client.host, "cannot give the study"):
        for instance in client.iter_study(study, media_types=(("application/dicom", "*"),)):
            if sum(counts.values()) == MOST_OBJECTS:
                raise ArchiveError(f"{client.host}: sends more than {MOST_OBJECTS} objects")
            if instance.get("StudyInstanceUID") != study:
                raise ArchiveError(f"{client.host}: sends objects of another study")
            is_image = bool(_ULTRASOUND.fullmatch(str(instance.get("SOPClassUID", ""))))
            counts[is_image] += 1
            place = new if is_image else new / "other"
            place.mkdir(exist_ok=True)
            content = bytes_of(instance)
            (place / f"{counts[is_image]:05}.dcm").write_bytes(content)
        if not any(counts.values()):
            raise ArchiveError(f"{client.host}: has no objects of this study")
    return counts[True], counts[False]


def _client(url: str, allow_http: bool, chunk_size: int) -> "DICOMwebClient":
    from dicomweb_client.web import DICOMwebClient

    url = check_address(url, allow_http)
    session = _BoundedSession()
    if is_this_machine(urlsplit(url).hostname or ""):
        session.trust_env = False  # a proxy would be asked for its own loopback
    headers = {}
    if token := os.environ.get(TOKEN_VARIABLE):
        headers["Authorization"] = f"Bearer {token}"
    try:
        client = DICOMwebClient(
            url,
            session=session,
            headers=headers,
            chunk_size=chunk_size,
            timeout=(_CONNECT_S, _READ_S),
        )
    except ValueError:
        raise ArchiveError(
            "expected the root of a DICOMweb service, as https://archive.example/dicom-web"
        ) from None
    client.set_http_retry_params(retry=False)
    return client


@contextmanager
def _one_line(host: str, what: str) -> Iterator[None]:
    """Turn what goes wrong with an archive into one line without its words, nor the address.

    Both may name a study or a patient. The same goes for what the libraries log meanwhile.
    """
    loggers = [logging.getLogger(name) for name in ("dicomweb_client", "urllib3")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with saying_nothing():
            yield
    except FetalIqaError:
        raise
    except requests.TooManyRedirects:
        raise ArchiveError(f"{host}: sends elsewhere; give the address that it sends to") from None
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        hint = {401: "; it wants a token", 403: "; it forbids it", 404: "; it has none such"}
        raise ArchiveError(f"{host}: {what}: HTTP {status}{hint.get(status, '')}") from None
    except requests.exceptions.SSLError:
        raise ArchiveError(
            f"{host}: its certificate is not trusted; name the file of your clinic's authority in "
            f"REQUESTS_CA_BUNDLE"
        ) from None
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
        raise ArchiveError(f"{host}: {what}: cannot be reached, or does not answer") from None
    except requests.RequestException:
        raise ArchiveError(f"{host}: {what}: its answer is damaged") from None
    except (MemoryError, OSError):  # of the disk; those of the network came before
        raise
    except Exception:
        raise ArchiveError(f"{host}: {what}: its answer is not DICOMweb, or is damaged") from None
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
