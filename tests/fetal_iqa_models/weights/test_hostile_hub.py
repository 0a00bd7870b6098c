"""Servers on loopback that answer as no hub does, or never quite."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch

from fetal_iqa_models import (
    StoredWeights,
    WeightsError,
    WeightsStore,
    encoder_spec,
    fetch_weights,
    load_encoder,
    registry,
)
from fetal_iqa_models.weights import deadline, downloading, hub

ENCODER = "fetalclip-tiny"
COMMIT = "c0ffee" * 6 + "c0ff"
SECRET = "Jane Doe 1970"
MOST_CONNECTIONS = 60

Answer = Callable[[socket.socket, str], None]


class Server:
    """Answers each request as it is told; ends with the test, whatever the other side does."""

    def __init__(self) -> None:
        self.head: Answer = say(b"HTTP/1.1 404 Not Found\r\n\r\n")
        self.get: Answer = self.head
        self.requests: list[str] = []
        self.ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        for _ in range(MOST_CONNECTIONS):
            with suppress(OSError):
                connection, _ = self._socket.accept()
                if self.ended.is_set():
                    return
                connection.settimeout(10)
                thread = threading.Thread(target=self._answer, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                part = connection.recv(4096)
                if not part:
                    return
                request += part
            text = request.decode()
            self.requests.append(text.split("\r\n")[0])
            (self.head if text.startswith("HEAD") else self.get)(connection, text)

    def close(self) -> None:
        self.ended.set()
        with socket.create_connection(self._socket.getsockname()):
            pass
        for thread in self._threads:
            thread.join()
        self._socket.close()


def say(content: bytes) -> Answer:
    return lambda connection, _: connection.sendall(content)


def for_ever(start: bytes, part: bytes, seconds: float = 0.02, most_s: float = 3) -> Answer:
    """Answer without an end; the connection's other side, or three seconds, end it."""

    def answer(connection: socket.socket, _: str) -> None:
        connection.sendall(start)
        until = time.monotonic() + most_s
        while time.monotonic() < until:
            connection.sendall(part)
            connection.setblocking(False)
            with suppress(BlockingIOError):
                if not connection.recv(1):  # the other side has gone
                    return
            connection.settimeout(10)
            time.sleep(seconds)

    return answer


def headers(status: str = "302 Found", **fields: str) -> bytes:
    given = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\nConnection: close\r\n{given}\r\n".encode()


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A genuine checkpoint of the smallest encoder."""
    torch.manual_seed(4)
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(load_encoder(ENCODER).trunk.state_dict(), path)
    return path.read_bytes()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    huggingface_hub.close_session()
    source = registry.WeightsSource("someone/encoder", "weights.pt")
    row = replace(encoder_spec(ENCODER), source=source, licence="MIT")
    monkeypatch.setitem(registry._TABLE, ENCODER, row)
    monkeypatch.setattr(hub, "_ANSWER_S", 1.0)
    monkeypatch.setattr(downloading, "_STALL_S", 1.0)
    server = Server()
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    yield server
    huggingface_hub.close_session()
    server.close()


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights")


def described(content: bytes, **fields: str) -> Answer:
    """Answer a look-up as the hub does."""
    sha256 = hashlib.sha256(content).hexdigest()
    size = str(len(content))
    given = {"X_Linked_Size": size, "X_Linked_Etag": f'"{sha256}"', "X_Repo_Commit": COMMIT}
    return say(headers(Location="http://localhost/storage", **{**given, **fields}))


LOOK_UPS: dict[str, tuple[Answer, str]] = {
    "a size of 6,000 digits": (say(headers(X_Linked_Size="9" * 6000)), "does not say the size"),
    "a size of 4,000 digits": (say(headers(X_Linked_Size="9" * 4000)), "a size that no weights"),
    "a size of 9 TB": (say(headers(X_Linked_Size=str(9 * 10**12))), "a size that no weights"),
    "a negative size": (say(headers(X_Linked_Size="-5")), "a size that no weights"),
    "no bytes": (say(headers(X_Linked_Size="0")), "a size that no weights"),
    "a size in words": (say(headers(X_Linked_Size=SECRET)), "does not say the size"),
    "a status line that drips": (for_ever(b"HTTP/1.1 ", b"2"), "no answer in time"),
    "headers that drip": (for_ever(b"HTTP/1.1 200 OK\r\nX: ", b"a"), "no answer in time"),
    "headers that flood": (for_ever(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 20_000, 0), "is no hub"),
    "silence": (for_ever(b"", b""), "no answer in time"),
    "another protocol": (say(f"220 {SECRET}\r\n\r\n".encode()), "is no hub"),
    "a mail": (say(f"\x1b[2J{SECRET}\r\n\r\n".encode()), "is no hub"),
    "hanging up": (say(b""), "is no hub"),
    "a reason of its own": (
        say(headers(f"500 {SECRET}", X_Error_Message=SECRET)),
        "answers 500 Internal Server Error",
    ),
    "a status of its own": (say(headers("599 No")), "answers 599"),
    "an address that is none": (
        say(headers("307 T", Location=f"http://[{SECRET}")),
        "no connection|does not say",
    ),
    "a circle": (say(headers("307 T", Location="/again", Content_Length="0")), "no connection"),
}


@pytest.mark.parametrize("name", LOOK_UPS)
def test_an_answer_that_is_none_is_refused_in_time_in_words_of_our_own(
    server: Server, store: WeightsStore, name: str
) -> None:
    server.head, message = LOOK_UPS[name]
    start = time.monotonic()
    with pytest.raises(WeightsError, match=message) as caught:
        fetch_weights(ENCODER, store)
    assert time.monotonic() - start < 5  # of a deadline of one second
    assert SECRET not in str(caught.value)
    assert str(caught.value).isprintable()
    assert "By hand: download" in str(caught.value)
    assert not (store.folder / "downloads").exists()


DOWNLOADS: dict[str, tuple[Answer, str]] = {
    "a status line that drips": (for_ever(b"HTTP/1.1 ", b"2"), "no answer in time"),
    "a redirect whose text has no end": (
        for_ever(headers("302 Found", Location="/x"), b"a" * 100_000, 0),
        "no connection",
    ),
    "a refusal whose text has no end": (
        for_ever(headers("403 Forbidden"), b"a" * 100_000, 0),
        "asks for a login",
    ),
    "a refusal of lists": (
        say(headers("500 No", Content_Type="a/json") + b"[1]"),
        "answers 500",
    ),
    "another part": (
        say(headers("206 Partial", Content_Range="bytes 700-800/900") + bytes(100)),
        "another part of the file",
    ),
    "a body that drips": (for_ever(headers("200 OK"), b"a", 0.05), "stands still at"),
}


@pytest.mark.parametrize("name", DOWNLOADS)
def test_a_download_that_does_not_move_is_given_up(
    server: Server, store: WeightsStore, content: bytes, name: str
) -> None:
    server.head = described(content)
    server.get, message = DOWNLOADS[name]
    start = time.monotonic()
    with pytest.raises(WeightsError, match=message) as caught:
        fetch_weights(ENCODER, store)
    assert time.monotonic() - start < 5
    assert SECRET not in str(caught.value)


def test_a_server_that_gives_one_byte_a_connection_is_given_up(
    server: Server, store: WeightsStore, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "_STALL_S", 0.2)
    server.head = described(content)

    def one_byte(connection: socket.socket, request: str) -> None:
        time.sleep(0.01)
        at = int(request.lower().split("range: bytes=")[1].split("-")[0])
        total = len(content)
        head = headers("206 P", Content_Range=f"bytes {at}-{total - 1}/{total}")
        connection.sendall(head + content[at : at + 1])

    server.get = one_byte

    with pytest.raises(WeightsError, match=r"stands still at .* what came is kept"):
        fetch_weights(ENCODER, store)
    assert len(server.requests) < MOST_CONNECTIONS


def test_a_slow_download_that_moves_takes_the_time_that_it_needs(
    server: Server, store: WeightsStore, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_ANSWER_S", 0.4)
    monkeypatch.setattr(downloading, "_STALL_S", 0.4)

    def slowly(connection: socket.socket, _: str) -> None:
        connection.sendall(headers("200 OK"))
        for start in range(0, len(content), len(content) // 20 + 1):
            connection.sendall(content[start : start + len(content) // 20 + 1])
            time.sleep(0.08)

    server.head, server.get = described(content), slowly
    start = time.monotonic()
    stored = fetch_weights(ENCODER, store)
    assert time.monotonic() - start > 1
    assert stored.header.source_sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("commit", ["../" * 200, "", "x" * 600, "a b", "main?download=1"])
def test_a_commit_that_is_none_is_not_kept(
    server: Server, store: WeightsStore, content: bytes, commit: str
) -> None:
    server.head = described(content, X_Repo_Commit=commit)
    server.get = say(headers("200 OK") + content)
    stored: StoredWeights = fetch_weights(ENCODER, store)
    assert stored.header.source_repository == "someone/encoder@main"
    assert server.requests[-1].startswith("GET /someone/encoder/resolve/main/weights.pt ")


def test_an_answer_that_comes_too_late_is_closed() -> None:
    asked, closed = threading.Event(), threading.Event()

    def ask() -> str:
        asked.wait(10)
        return "late"

    with pytest.raises(deadline.NoAnswerError):
        deadline.within(0.05, ask, undo=lambda _: closed.set())
    asked.set()
    assert closed.wait(10)


def test_an_endless_100_continue_costs_few_seconds_of_the_processor(
    server: Server, store: WeightsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_ANSWER_S", 60.0)
    monkeypatch.setattr(deadline, "_CPU_S", 0.5)
    server.head = for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, 0, most_s=60)

    with pytest.raises(WeightsError, match="no answer in time"):
        fetch_weights(ENCODER, store)

    asking = [thread for thread in threading.enumerate() if thread.name == "look-up"]
    for thread in asking:
        thread.join(20)
        assert not thread.is_alive(), "what was given up goes on computing"


def test_an_answer_in_time_and_its_errors_are_handed_on() -> None:
    assert deadline.within(10, lambda: 3) == 3
    for error in (ValueError, TimeoutError, KeyboardInterrupt):
        with pytest.raises(error, match="mine"):
            deadline.within(10, lambda error=error: (_ for _ in ()).throw(error("mine")))
