"""DICOMweb with a small archive on loopback: sound, refusing, endless and lying."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore
from napari_fetal_iqa.dicom_out import dicomweb
from napari_fetal_iqa.dicom_out.dicomweb import ArchiveError, check_address, fetch_study, store
from napari_fetal_iqa.dicom_out.objects import objects_of_case
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.review.examination.examination import Examination

from .cases import frames_of_case, review
from .test_objects import NOW, PATIENT

BOUNDARY = b"aZ09-boundary"
STUDY = PATIENT["StudyInstanceUID"]


class Archive(ThreadingHTTPServer):
    """Keeps what is stored; ``behaviour`` says how it answers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.stored, self.behaviour, self.tokens = [], "", []
        self.url = f"http://127.0.0.1:{self.server_port}/dicom-web"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def answer(self, status, kind="application/dicom+json", content=b"{}", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.append(self.headers.get("Authorization"))
        if self.server.behaviour == "full":
            self.answer(507)
        elif self.server.behaviour == "refuses":
            failed = b'{"00081198":{"vr":"SQ","Value":[{"00081197":{"vr":"US","Value":[272]}}]}}'
            self.answer(202, content=failed)
        elif self.server.behaviour == "elsewhere":
            self.answer(307, Location="http://127.0.0.1:1/elsewhere")
        else:
            _, _, rest = body.partition(b"\r\n\r\n")
            self.server.stored.append(rest[: rest.rindex(b"\r\n--")])
            self.answer(200)

    def do_GET(self):
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY.decode()}'
        parts = b"".join(
            b"\r\n--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n" + part
            for part in self.server.stored
        )
        if not self.server.stored:
            self.answer(404, content=b"no study of Doe^Jane")
        elif self.server.behaviour == "endless":
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(parts)
            except OSError:
                pass
        elif self.server.behaviour == "html":
            self.answer(200, "text/html", b"<p>Doe^Jane")
        elif self.server.behaviour == "cut":
            self.answer(200, kind, parts[: len(parts) // 2])
        else:
            self.answer(200, kind, parts + b"\r\n--" + BOUNDARY + b"--")


@pytest.fixture
def archive():
    server = Archive()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def objects(save_dicom, tmp_path):
    """The objects of a case, after the sweep that they were made of."""
    path = save_dicom(
        "sweep.dcm",
        frames_of_case(),
        PixelSpacing=[1.5, 1.5],
        SeriesInstanceUID="1.2.3.2",
        **PATIENT,
    )
    with CorrectionStore(tmp_path / "store.sqlite") as corrections:
        case = Examination([review(read_sweep(path), corrections)])
        made = objects_of_case([SweepSource(path)], case, "AK", NOW).objects
    return {"sweep.dcm": path.read_bytes(), **made}


def test_what_is_stored_is_fetched_and_opens_as_the_same_sweep(archive, objects, tmp_path):
    store(archive.url, objects)

    counts = fetch_study(archive.url, STUDY, tmp_path / "out")

    assert counts == (1, 3)
    fetched = read_sweep(tmp_path / "out")
    assert np.array_equal(fetched.frames, frames_of_case())
    assert fetched.spacing_mm == (1.5, 1.5)
    others = {path.read_bytes()[128:] for path in (tmp_path / "out" / "other").iterdir()}
    assert others == {content[128:] for name, content in objects.items() if name != "sweep.dcm"}


def test_a_token_goes_along(archive, objects, monkeypatch):
    monkeypatch.setenv(dicomweb.TOKEN_VARIABLE, "secret")

    store(archive.url, {"sweep.dcm": objects["sweep.dcm"]})

    assert archive.tokens == ["Bearer secret"]


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("full", "HTTP 507"),
        ("refuses", "does not take sweep.dcm .0 of 4 are stored.; reason 0110"),
        ("elsewhere", "sends elsewhere"),
    ],
)
def test_what_an_archive_does_not_take_is_said(archive, objects, behaviour, why, caplog):
    archive.behaviour = behaviour
    caplog.set_level(logging.DEBUG)

    with pytest.raises(ArchiveError, match=why) as refused:
        store(archive.url, objects)

    check_silent(refused, caplog)


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("endless", "more than"),
        ("html", "not DICOMweb"),
        ("cut", "ends too early|is damaged"),
        ("empty", "HTTP 404"),
        ("another study", "another study"),
    ],
)
def test_an_answer_that_is_no_study_leaves_nothing(
    archive, objects, behaviour, why, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(dicomweb, "LARGEST_ANSWER", 1 << 20)
    caplog.set_level(logging.DEBUG)
    archive.stored = [] if behaviour == "empty" else list(objects.values())
    archive.behaviour = behaviour

    with pytest.raises(ArchiveError, match=why) as refused:
        fetch_study(
            archive.url, "1.2.9" if behaviour == "another study" else STUDY, tmp_path / "out"
        )

    check_silent(refused, caplog)
    assert not (tmp_path / "out").exists()


def test_an_answer_that_trickles_is_left_in_time(archive, objects, tmp_path, monkeypatch):
    archive.stored = list(objects.values())
    monkeypatch.setattr(dicomweb, "LONGEST_S", -1.0)

    with pytest.raises(ArchiveError, match="does not come to an end"):
        fetch_study(archive.url, STUDY, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def check_silent(refused, caplog):
    """Neither the error nor a log says whose study it was."""
    said = str(refused.value) + caplog.text
    assert len(str(refused.value).splitlines()) == 1
    for secret in (STUDY, "Müller", "Zoë", "Doe", "0815", "1.2.9"):
        assert secret not in said


def test_an_archive_that_is_not_there_is_said(objects):
    with pytest.raises(ArchiveError, match="cannot be reached"):
        store("http://127.0.0.1:9/dicom-web", objects)


@pytest.mark.parametrize(
    "url",
    [
        "http://archive.example/dicom-web",
        "http://localhost.example/dicom-web",
        "http://127.0.0.1.example/dicom-web",
        "https://user:secret@archive.example/",
        "ftp://archive.example/",
        "archive.example",
        "https://archive.example/?study=1",
        "http://127.0.0.1:no/",
    ],
)
def test_addresses_that_are_not_safe_are_refused(url):
    with pytest.raises(ArchiveError) as refused:
        check_address(url)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://archive.example/dicom-web/", "http://127.0.0.1:80", "http://localhost/x"]
)
def test_addresses_that_are_safe_are_taken(url):
    assert check_address(url) == url.rstrip("/")


def test_the_commands_make_the_round_trip(archive, objects, tmp_path, run):
    archive.stored = list(objects.values())

    code, printed, errors = run(
        "fetch-dicom", archive.url, "--study", STUDY, "--out", tmp_path / "case"
    )
    assert (code, errors) == (0, "")
    assert "1 ultrasound image in" in printed

    code, _, errors = run("fetch-dicom", archive.url, "--study", STUDY, "--out", tmp_path / "case")
    assert (code, "new or empty folder" in errors) == (1, True)


def test_a_made_study_is_stored_with_its_images(archive, tmp_path):
    path = write_volume(tmp_path / "a.mha", frames_of_case(), (1.5, 1.5), frames_per_sweep=4)
    with CorrectionStore(tmp_path / "store.sqlite") as corrections:
        case = Examination([review(read_sweep(path), corrections)])
        made = objects_of_case([SweepSource(path)], case, "AK", NOW)

    store(archive.url, made.objects)

    assert len(archive.stored) == len(made.objects) == 5
