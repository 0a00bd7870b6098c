"""Real downloads from a server on loopback that answers as the hub and the storage behind it do."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

from fetal_iqa_models import (
    WeightsError,
    WeightsStore,
    encoder_spec,
    fetch_weights,
    import_weights,
    load_encoder,
    registry,
)

ENCODER = "fetalclip-tiny"
COMMIT = "c0ffee" * 6 + "c0ff"
REPOSITORY = "someone/encoder"
FILE = "weights.pt"


@dataclass
class Hub:
    """What the server holds, how it behaves, and which requests came."""

    content: bytes
    address: str = ""
    cuts: list[int] = field(default_factory=list)  # bytes after which each answer breaks off
    takes_ranges: bool = True
    knows_sha256: bool = True
    knows_size: bool = True
    refusal: int | None = None
    refusal_code: str = ""  # the hub's word for its reason
    refuses: str = ""  # only addresses that begin so
    moved: bool = False
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def ranges(self) -> list[str | None]:
        return [of for _, path, of in self.requests if path.startswith("/storage")]


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            hub.requests.append((self.command, self.path, self.headers.get("Range")))
            if login := self.headers.get("Authorization"):
                hub.logins.append((self.path, login))
            if hub.refusal is not None and self.path.startswith(hub.refuses):
                self.answer(hub.refusal, **{"X-Error-Code": hub.refusal_code})
            elif hub.moved and self.path.startswith(f"/{REPOSITORY}"):
                self.answer(307, Location=self.path.replace(REPOSITORY, "someone/renamed"))
            elif "/resolve/" in self.path:
                # another host name: the storage is not the hub
                storage = hub.address.replace("127.0.0.1", "localhost") + "/storage"
                etag = {"X-Linked-Etag": f'"{hub.sha256}"'} if hub.knows_sha256 else {}
                size = {"X-Linked-Size": str(len(hub.content))} if hub.knows_size else {}
                self.answer(302, Location=storage, **size, **etag, **{"X-Repo-Commit": COMMIT})
            else:
                self.send_content()

        def answer(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send_content(self) -> None:
            start = 0
            wanted = self.headers.get("Range")
            if wanted and hub.takes_ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            part = hub.content[start:]
            self.send_response(206 if start else 200)
            if start:
                total = len(hub.content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            cut = hub.cuts.pop(0) if hub.cuts else len(part)
            self.wfile.write(part[:cut])
            if cut < len(part):
                self.close_connection = True

    return Handler


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A genuine checkpoint of the smallest encoder."""
    torch.manual_seed(4)
    path = tmp_path_factory.mktemp("weights") / FILE
    torch.save(load_encoder(ENCODER).trunk.state_dict(), path)
    return path.read_bytes()


@pytest.fixture
def _online(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the switches nor the login of whoever runs the tests."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    huggingface_hub.close_session()  # the next one reads the proxy again


@pytest.fixture
def hub(content: bytes, monkeypatch: pytest.MonkeyPatch, _online: None) -> Iterator[Hub]:
    hub = Hub(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    huggingface_hub.close_session()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights")


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Note in the table of encoders where the smallest encoder's weights are published."""

    def publish(licence: str = "MIT", **source: Any) -> None:
        row = registry.WeightsSource(REPOSITORY, FILE, **source)
        spec = replace(encoder_spec(ENCODER), source=row, licence=licence)
        monkeypatch.setitem(registry._TABLE, ENCODER, spec)

    publish()
    return publish


def left_over(store: WeightsStore) -> list[Path]:
    return [path for path in (store.folder / "downloads").rglob("*") if path.is_file()]


class TestWhole:
    def test_a_fetched_file_is_the_published_one(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], content: bytes
    ) -> None:
        publish(size=len(content), sha256=hub.sha256)
        progress: list[tuple[int, int]] = []
        stored = fetch_weights(ENCODER, store, progress=lambda *done: progress.append(done))
        assert stored.published
        assert stored.header.source_sha256 == hub.sha256
        assert stored.header.source_repository == f"{REPOSITORY}@{COMMIT}"
        assert stored.header.source_file == FILE
        torch.manual_seed(4)
        expected = load_encoder(ENCODER)
        images = torch.randn(1, 3, 56, 56)
        assert torch.equal(load_encoder(ENCODER, stored.path)(images), expected(images))
        assert progress == sorted(progress)
        assert progress[-1] == (len(content), len(content))
        assert left_over(store) == []

    def test_the_download_is_pinned_to_the_commit_that_was_looked_up(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        fetch_weights(ENCODER, store)
        paths = [(method, path) for method, path, _ in hub.requests]
        assert paths == [
            ("HEAD", f"/{REPOSITORY}/resolve/main/{FILE}"),
            ("GET", f"/{REPOSITORY}/resolve/{COMMIT}/{FILE}"),
            ("GET", "/storage"),
        ]

    def test_what_is_here_already_is_not_fetched_again(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        first = fetch_weights(ENCODER, store)
        hub.requests.clear()
        assert fetch_weights(ENCODER, store) == first
        assert hub.requests == []

    def test_size_and_sha256_that_nobody_knew_are_recorded(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], content: bytes
    ) -> None:
        hub.knows_sha256 = False
        stored = fetch_weights(ENCODER, store)
        assert stored.published
        assert stored.header.source_sha256 == hub.sha256
        assert stored.header.source_size == len(content)

    def test_a_renamed_repository_is_followed(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.moved = True
        assert fetch_weights(ENCODER, store).header.source_sha256 == hub.sha256

    def test_two_at_once_do_no_harm(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        start = threading.Barrier(2)
        found: list[object] = []

        def fetch() -> None:
            start.wait()
            found.append(fetch_weights(ENCODER, store).header.source_sha256)

        threads = [threading.Thread(target=fetch) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [hub.sha256] * 2


class TestLogin:
    """The login of this machine opens what has terms to accept, and goes to the hub alone."""

    @pytest.fixture(params=["variable", "file"])
    def _logged_in(
        self, request: pytest.FixtureRequest, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if request.param == "variable":
            monkeypatch.setenv("HF_TOKEN", "hf_mine")
        else:
            Path(huggingface_hub.constants.HF_TOKEN_PATH).write_text("hf_mine")

    @pytest.mark.usefixtures("_logged_in")
    def test_the_storage_behind_the_hub_never_sees_the_login(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.cuts = [50_000]
        assert fetch_weights(ENCODER, store).published
        assert len(hub.ranges) == 2
        resolve = f"/{REPOSITORY}/resolve"
        paths = [f"{resolve}/main/{FILE}", *[f"{resolve}/{COMMIT}/{FILE}"] * 2]
        assert hub.logins == [(path, "Bearer hf_mine") for path in paths]

    def test_whoever_has_no_login_sends_none(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        assert fetch_weights(ENCODER, store).published
        assert hub.logins == []


class TestCut:
    def test_a_cut_is_mended_in_one_go(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.cuts = [50_000, 30_000]
        assert fetch_weights(ENCODER, store).published
        assert hub.ranges == ["bytes=0-", "bytes=50000-", "bytes=80000-"]

    def test_the_little_that_a_bad_connection_brings_is_kept(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.cuts = [700, 1, 1000]
        assert fetch_weights(ENCODER, store).published
        assert hub.ranges == ["bytes=0-", "bytes=700-", "bytes=701-", "bytes=1701-"]

    def test_a_connection_that_stays_broken_is_reported_and_continued_later(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.cuts = [50_000, 0]
        with pytest.raises(WeightsError, match="connection broke at 50000 of") as caught:
            fetch_weights(ENCODER, store)
        assert "what came is kept" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert store.entries() == []
        assert [path.stat().st_size for path in left_over(store)] == [50_000]
        hub.requests.clear()
        assert fetch_weights(ENCODER, store).published
        assert hub.ranges == ["bytes=50000-"]
        assert left_over(store) == []

    def test_stopped_by_hand_it_goes_on_where_it_was(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        stopped_at = 0

        def stop(done: int, _: int) -> None:
            nonlocal stopped_at
            stopped_at = done
            if done >= 60_000:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fetch_weights(ENCODER, store, progress=stop)
        hub.requests.clear()
        assert fetch_weights(ENCODER, store).published
        assert hub.ranges == [f"bytes={stopped_at}-"]
        assert 60_000 <= stopped_at < len(hub.content)

    def test_a_server_that_cannot_go_on_starts_again(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.takes_ranges = False
        hub.cuts = [50_000, 20_000]
        with pytest.raises(WeightsError, match="connection broke at 50000"):
            fetch_weights(ENCODER, store)
        assert fetch_weights(ENCODER, store).header.source_sha256 == hub.sha256

    def test_a_part_of_another_file_is_not_continued(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], content: bytes
    ) -> None:
        hub.cuts = [50_000, 0]
        hub.content = bytes(len(content))
        with pytest.raises(WeightsError, match="connection broke"):
            fetch_weights(ENCODER, store)
        hub.content = content
        assert fetch_weights(ENCODER, store).header.source_sha256 == hub.sha256


class TestLeftovers:
    """What was downloaded goes once it is of no more use, however it came to be left."""

    def test_an_unreadable_download_does_not_count_as_finished(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], content: bytes
    ) -> None:
        hub.knows_sha256 = False
        hub.content = b"<html>Please log in</html>" * 9
        with pytest.raises(WeightsError, match="what was downloaded is deleted"):
            fetch_weights(ENCODER, store)
        assert left_over(store) == []
        hub.content = content
        assert fetch_weights(ENCODER, store).header.source_sha256 == hub.sha256

    def test_a_sound_download_waits_for_a_store_that_can_be_written(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as full:
            full.setattr("fetal_iqa_models.weights.importing.save_file", fail)
            with pytest.raises(WeightsError, match=r"cannot be written \(No space left"):
                fetch_weights(ENCODER, store)
        hub.requests.clear()
        assert fetch_weights(ENCODER, store).published
        assert hub.ranges == []
        assert left_over(store) == []

    def test_a_part_goes_when_the_weights_came_by_hand(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
        content: bytes,
        tmp_path: Path,
    ) -> None:
        publish(sha256=hub.sha256)
        hub.cuts = [50_000, 0]
        with pytest.raises(WeightsError, match="connection broke"):
            fetch_weights(ENCODER, store)
        assert len(left_over(store)) == 1
        (tmp_path / FILE).write_bytes(content)
        import_weights(ENCODER, tmp_path / FILE, store)
        assert fetch_weights(ENCODER, store).published
        assert left_over(store) == []

    def test_a_part_of_what_the_hub_has_replaced_goes(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], content: bytes
    ) -> None:
        hub.cuts = [50_000, 0, 60_000, 0]
        hub.content = bytes(len(content))
        with pytest.raises(WeightsError, match="connection broke"):
            fetch_weights(ENCODER, store)
        hub.content = content
        with pytest.raises(WeightsError, match="connection broke"):
            fetch_weights(ENCODER, store)
        assert [path.stat().st_size for path in left_over(store)] == [60_000]

    @pytest.mark.skipif(os.name == "nt", reason="Windows kills in other ways")
    @pytest.mark.parametrize("where", ["download", "import"])
    def test_a_killed_fetch_leaves_nothing_that_the_next_does_not_clear(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], where: str
    ) -> None:
        child = [sys.executable, "-c", KILLED, str(store.folder), where]
        killed = subprocess.run(child, capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        left = left_over(store)
        assert len(left) == 1
        assert [path.name[:9] for path in store.folder.glob(".*")] == (
            [".writing-"] if where == "import" else []
        )
        hub.requests.clear()
        stored = fetch_weights(ENCODER, store)
        assert hub.ranges == (["bytes=50000-"] if where == "download" else [])
        assert list(store.folder.rglob("*.*")) == [stored.path]


KILLED = f"""
import os, signal, sys
from dataclasses import replace
from fetal_iqa_models import WeightsStore, encoder_spec, fetch_weights, registry
from fetal_iqa_models.weights import downloading, importing

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def save(_, path, **__):
    path.write_bytes(bytes(1000))
    die()

row = registry.WeightsSource({REPOSITORY!r}, {FILE!r})
registry._TABLE[{ENCODER!r}] = replace(encoder_spec({ENCODER!r}), source=row, licence="MIT")
if sys.argv[2] == "download":
    downloading._arriving = lambda response: [next(response.iter_raw(50_000))]
    def add(self, arrived, here, size):
        if here:
            die()
    downloading._Pace.add = add
else:
    importing.save_file = save
fetch_weights({ENCODER!r}, WeightsStore(sys.argv[1]))
"""


class TestRefused:
    """Nothing gets into the store, and the message says what to do."""

    @pytest.fixture(autouse=True)
    def _nothing_kept(self, store: WeightsStore) -> Iterator[None]:
        yield
        assert store.files() == []

    def test_a_licence_must_be_accepted(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        publish(licence="CC-BY-NC-4.0")
        with pytest.raises(WeightsError, match=r"non-commercial use only.*--accept-licence"):
            fetch_weights(ENCODER, store)
        assert hub.requests == []

    @pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {"size": 17}])
    def test_another_file_than_the_known_one_is_not_even_downloaded(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], known: dict[str, Any]
    ) -> None:
        publish(**known)
        with pytest.raises(WeightsError, match="now holds another file"):
            fetch_weights(ENCODER, store)
        assert hub.ranges == []

    @pytest.mark.parametrize("hub_knows", [True, False])
    def test_a_wrong_hash_is_deleted(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
        content: bytes,
        monkeypatch: pytest.MonkeyPatch,
        hub_knows: bool,
    ) -> None:
        publish(sha256=hub.sha256)
        hub.knows_sha256 = hub_knows
        monkeypatch.setattr(Hub, "sha256", hub.sha256)
        hub.content = content[:-1] + bytes([content[-1] ^ 1])
        with pytest.raises(WeightsError, match=r"not what was published .* deleted; try again"):
            fetch_weights(ENCODER, store)
        assert left_over(store) == []

    def test_a_file_that_is_no_checkpoint_is_refused(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.content = b"<html>Please log in</html>" * 9
        with pytest.raises(WeightsError, match="not a readable weights file"):
            fetch_weights(ENCODER, store)

    def test_a_malicious_pickle_does_not_run(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None], tmp_path: Path
    ) -> None:
        class Bomb:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(tmp_path / "exploded"),)

        torch.save({"head.weight": Bomb()}, tmp_path / "bomb.pt")
        hub.content = (tmp_path / "bomb.pt").read_bytes()
        with pytest.raises(WeightsError, match="holds more than tensors"):
            fetch_weights(ENCODER, store)
        assert not (tmp_path / "exploded").exists()

    @pytest.mark.parametrize(
        ("status", "code", "message"),
        [
            (401, "", "asks for a login"),
            (403, "GatedRepo", "terms to accept there"),
            (404, "RepoNotFound", "the repository is gone"),
            (404, "EntryNotFound", "answers 404 Not Found"),
            (404, "", "answers 404 Not Found"),
            (503, "", "answers 503 Service Unavailable"),
        ],
    )
    def test_a_refusal_is_one_line(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
        status: int,
        code: str,
        message: str,
    ) -> None:
        hub.refusal, hub.refusal_code = status, code
        with pytest.raises(WeightsError, match=message) as caught:
            fetch_weights(ENCODER, store)
        assert "\n" not in str(caught.value)

    def test_a_storage_that_refuses_is_reported(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.refusal, hub.refuses = 500, "/storage"
        with pytest.raises(WeightsError, match="answers 500"):
            fetch_weights(ENCODER, store)

    def test_a_connection_that_is_gone_after_the_look_up_is_reported(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.address = "http://127.0.0.1:9"  # nobody listens there
        with pytest.raises(WeightsError, match="no connection to the hub"):
            fetch_weights(ENCODER, store)

    def test_a_hub_that_does_not_say_the_size_is_not_believed(
        self, hub: Hub, store: WeightsStore, publish: Callable[..., None]
    ) -> None:
        hub.knows_size = False
        with pytest.raises(WeightsError, match="does not say the size"):
            fetch_weights(ENCODER, store)

    @pytest.mark.usefixtures("_online")
    def test_no_network_is_one_line_with_the_manual_way(
        self,
        store: WeightsStore,
        publish: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
        with pytest.raises(WeightsError, match="no connection to the hub") as caught:
            fetch_weights(ENCODER, store)
        message = str(caught.value)
        assert f"download http://127.0.0.1:9/{REPOSITORY}/resolve/main/{FILE}" in message
        assert f"weights import {ENCODER} {FILE}" in message
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("proxy", "reason"), [("socks5://127.0.0.1:9", "socksio"), ("ftp://127.0.0.1:9", "proxy")]
    )
    def test_a_proxy_that_is_not_handled_is_one_line(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        proxy: str,
        reason: str,
    ) -> None:
        monkeypatch.setenv("all_proxy", proxy)
        with pytest.raises(WeightsError, match=rf"no connection to the hub \(.*{reason}"):
            fetch_weights(ENCODER, store)
        assert hub.requests == []

    @pytest.mark.parametrize("value", ["1", "true", "YES"])
    def test_offline_mode_asks_nobody(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        value: str,
    ) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        with pytest.raises(WeightsError, match=r"HF_HUB_OFFLINE is set.*weights import"):
            fetch_weights(ENCODER, store)
        assert hub.requests == []

    def test_a_full_disk_is_reported_before_the_download(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        usage = type("Usage", (), {"free": 10})
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
        with pytest.raises(WeightsError, match="no room for"):
            fetch_weights(ENCODER, store)
        assert hub.ranges == []

    def test_a_disk_that_fails_is_not_blamed_on_the_network(
        self,
        hub: Hub,
        store: WeightsStore,
        publish: Callable[..., None],
    ) -> None:
        def fail(*_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(WeightsError, match=r"cannot be written \(No space left on device\)"):
            fetch_weights(ENCODER, store, progress=fail)

    def test_an_encoder_that_nobody_published_is_refused(self, store: WeightsStore) -> None:
        with pytest.raises(WeightsError, match="swin-demo has no published weights"):
            fetch_weights("swin-demo", store)
