"""The analysis in a process of its own gives what it gives in this one, and survives errors."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest

from napari_fetal_iqa import process_priority
from napari_fetal_iqa.analysis import (
    Analysis,
    FrameQueue,
    RemoteAnalyser,
    analyse_sweep,
    worker_process,
)
from napari_fetal_iqa.errors import AnalysisError


@pytest.fixture(scope="module")
def remote():
    analyser = RemoteAnalyser()
    yield analyser
    analyser.close()


def load(remote, tiny_models):
    return remote.load(str(tiny_models["cls"]), str(tiny_models["seg"]), "cpu")


def test_a_process_of_its_own_gives_the_same_results(remote, sweep, tiny_models):
    analysis = Analysis(sweep, load(remote, tiny_models))
    batches = 0
    for results in remote.run(sweep, FrameQueue(len(sweep), looked_at=30)):
        assert batches or 30 in results.frames
        analysis.add(results)
        batches += 1
    here = analyse_sweep(sweep, tiny_models["cls"], tiny_models["seg"], device="cpu")
    assert analysis.setup == here.setup
    assert analysis.complete
    assert analysis.quality == pytest.approx(here.quality, abs=1e-4)
    assert np.array_equal(analysis.labels(), here.labels())
    assert batches > 1


def test_a_process_that_was_started_ahead_is_the_one_that_loads(tiny_models):
    remote = RemoteAnalyser()
    remote.start_ahead()
    started = remote._process.pid
    remote.start_ahead()
    setup = remote.load(str(tiny_models["cls"]), "", "cpu", "torch")
    assert remote._process.pid == started
    assert setup.engine == "torch"
    remote.close()
    remote.start_ahead()
    assert remote._process is None


def test_an_error_of_the_user_is_one_line(remote):
    with pytest.raises(AnalysisError, match="no-such-model") as caught:
        remote.load("no-such-model", "")
    assert "\n" not in str(caught.value)


def test_a_killed_process_is_reported_and_started_anew(remote, sweep, tiny_models):
    load(remote, tiny_models)
    os.kill(remote._process.pid, signal.SIGTERM)
    remote._process.wait()
    with pytest.raises(AnalysisError, match="ended unexpectedly"):
        next(remote.run(sweep, FrameQueue(len(sweep))))
    load(remote, tiny_models)
    assert next(remote.run(sweep, FrameQueue(len(sweep)))).quality is not None


def test_the_process_gives_way_to_the_window_with_every_thread(remote, sweep, tiny_models):
    load(remote, tiny_models)
    next(remote.run(sweep, FrameQueue(len(sweep))))
    process = psutil.Process(remote._process.pid)
    if sys.platform == "win32":
        assert process.nice() == psutil.BELOW_NORMAL_PRIORITY_CLASS
        return
    assert process.nice() >= process_priority.ANALYSIS > psutil.Process().nice()
    if sys.platform == "linux":  # where each thread has a niceness of its own
        threads = [os.getpriority(os.PRIO_PROCESS, thread.id) for thread in process.threads()]
        assert min(threads) >= process_priority.ANALYSIS


def test_a_batch_says_whether_frames_go_by(remote, sweep, tiny_models, monkeypatch):
    load(remote, tiny_models)
    asked = []
    ask = remote._ask
    monkeypatch.setattr(
        remote, "_ask", lambda request, expected: asked.append(request) or ask(request, expected)
    )
    queue = FrameQueue(len(sweep))
    batches = remote.run(sweep, queue)
    next(batches)
    queue.look_at(5)
    next(batches)
    assert [batch.half_the_cores for batch in asked] == [False, True]


def test_a_batch_is_never_answered_by_the_models_of_another_sweep(remote, sweep, tiny_models):
    remote.forget()  # the first batch is small again
    both = remote.models(str(tiny_models["cls"]), str(tiny_models["seg"]), "cpu")
    batches = both.run(sweep, FrameQueue(len(sweep)))
    assert next(batches).area_fraction is not None
    only = remote.models(str(tiny_models["cls"]), "", "cpu")  # for a sweep read ahead
    assert both.setup.seg_model is not None is not only.setup.cls_model
    assert next(batches).area_fraction is not None
    assert next(only.run(sweep, FrameQueue(len(sweep)))).area_fraction is None


def test_models_are_loaded_once(remote, tiny_models):
    first = load(remote, tiny_models)
    assert load(remote, tiny_models) is first
    remote.forget()
    again = load(remote, tiny_models)
    assert again is not first
    assert again == first


def test_the_window_side_imports_no_torch():
    code = "import sys, napari_fetal_iqa.analysis.worker_client; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_models_are_chosen_and_their_weights_hashed_without_torch(tiny_models, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_models["cls"], folder)
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "encoder_weights": None}))
    (tmp_path / "weights.pt").write_bytes(b"abc")
    code = (
        "import sys; from pathlib import Path; from napari_fetal_iqa.analysis import choose_models;"
        "setup = choose_models(sys.argv[1], None, Path(sys.argv[2])).setup();"
        "print(setup.cls_model.encoder_weights, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "weights.pt")],
        capture_output=True,
        text=True,
        check=True,
    )
    # FIPS 180-2, appendix B.1
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert done.stdout.split() == [sha256, "False"]


@pytest.mark.parametrize("killed_while", ["it waits", "it asks"])
def test_a_window_that_is_killed_leaves_nothing_in_the_terminal(killed_while):
    """Its pipes are gone: half a request comes, or an answer is read by nobody."""
    child = subprocess.Popen(
        [sys.executable, "-m", worker_process.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    request = io.BytesIO()
    worker_process.send(request, worker_process.Load("no-such-model" * 9999, ""))
    whole = request.getvalue()
    child.stdout.close()
    child.stdin.write(whole if killed_while == "it waits" else whole[: len(whole) // 2])
    child.stdin.close()
    assert child.stderr.read() == b""
    assert child.wait(60) == 0


def test_the_service_answers_in_order_and_explains_what_fails(sweep, tiny_models, caplog):
    """The child's loop, run in this process."""
    frames = worker_process.Batch(np.array([4, 9]), sweep.frames[[4, 9]], None, sweep.field_of_view)
    requests = io.BytesIO()
    for request in (
        frames,
        worker_process.Load("no-such-model", ""),
        worker_process.Load(str(tiny_models["cls"]), "", "cpu"),
        frames,
    ):
        worker_process.send(requests, request)
    requests.seek(0)
    answers = io.BytesIO()
    worker_process.serve(requests, answers)
    answers.seek(0)
    early, missing, setup, results = (worker_process.receive(answers) for _ in range(4))
    assert "RuntimeError" in early.message
    assert "Traceback" in early.details
    assert "no-such-model" in missing.message
    assert missing.details is None
    assert setup.cls_model.id.startswith("cls-")
    assert results.frames.tolist() == [4, 9]
    assert np.isnan(results.ac_mm).all()
