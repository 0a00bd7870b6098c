"""A training in a process of its own: followed, stopped, cancelled, lost and found again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from napari_fetal_iqa import process_priority
from napari_fetal_iqa.finetuning import event_log
from napari_fetal_iqa.finetuning import process as processes
from napari_fetal_iqa.finetuning.job import (
    FinetuningError,
    FinetuningJob,
    FinetuningRequest,
    jobs_folder,
)
from napari_fetal_iqa.finetuning.request import models_folder

FAKE = (sys.executable, str(Path(__file__).with_name("fake_trainer.py")))


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


@pytest.fixture
def request_cls(tmp_path) -> FinetuningRequest:
    return FinetuningRequest(tmp_path / "store.sqlite", "cls", ("demo-cls",))


@pytest.fixture
def start(request_cls):
    """Start a fake training; end those that are left."""
    started = []

    def start(*how, request=request_cls):
        job = FinetuningJob.start(request, [*FAKE, *how])
        started.append(job)
        return job

    yield start
    for job in started:
        if job.running:
            os.killpg(job.record.pid, signal.SIGKILL)
            wait_until(lambda job=job: not job.running)


def all_events(job):
    events = []
    while True:
        running = job.running
        new = job.events()
        events += new
        if not running and not new:
            return events
        time.sleep(0.01)


def test_it_is_followed_to_its_end(start):
    job = start()
    events = all_events(job)
    assert [e.done for e in events if e.event == "step"] == list(range(1, 21))
    (done,) = job.outcome().done
    assert job.outcome().error is None
    assert Path(done.model) == job.record.outs["cls"]
    assert (job.record.outs["cls"] / "model.json").is_file()
    assert job.record.outs["cls"].parent == models_folder()


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is of POSIX systems")
def test_it_gives_way_to_the_window_and_to_the_analysis(start):
    job = start("--until-stopped", "--pause", "0.01")
    pid = job.record.pid
    assert psutil.Process(pid).nice() >= process_priority.TRAINING > process_priority.ANALYSIS
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():  # of its session, to which the kernel gives its share of the cores
        assert group.read_text().split()[-1] == str(process_priority.TRAINING)
    job.cancel()


def test_both_tasks_get_a_model_each(start, tmp_path):
    request = FinetuningRequest(tmp_path / "store.sqlite", "both", ("demo-cls", "demo-seg"))
    job = start(request=request)
    wait_until(lambda: not job.running)
    assert [done.task for done in job.outcome().done] == ["cls", "seg"]
    names = {task: out.name for task, out in job.record.outs.items()}
    assert names == {"cls": f"{job.folder.name}-cls", "seg": f"{job.folder.name}-seg"}
    assert all(out.is_dir() for out in job.record.outs.values())


def test_the_record_names_no_sweep(start, request_cls):
    record = json.loads((start().folder / "job.json").read_text())
    assert set(record) == {"command", "tasks", "pid", "birth", "started", "outs", "store"}
    assert record["store"] == str(request_cls.store)


def test_stop_keeps_what_was_trained(start):
    job = start("--until-stopped", "--pause", "0.01")
    wait_until(lambda: any(event.event == "step" for event in job.events()))
    assert job.outcome() is None
    job.stop()
    wait_until(lambda: not job.running)
    assert len(job.outcome().done) == 1
    assert job.record.outs["cls"].is_dir()


@pytest.mark.parametrize("how", [(), ("--deaf",)])
def test_cancel_keeps_nothing_and_does_not_wait(start, how):
    job = start("--until-stopped", "--pause", "0.01", *how)
    wait_until(lambda: any(event.event == "step" for event in job.events()))
    out = job.record.outs["cls"]
    (out.parent / f".{out.name}.training").mkdir(parents=True)
    job.cancel(grace_seconds=0.2)
    wait_until(lambda: not job.undecided)
    assert not job.running
    assert job.outcome().cancelled
    assert list(out.parent.iterdir()) == []
    assert FinetuningJob.unfinished_or_unread() is None


def test_a_cancelled_one_is_ended_by_the_next_window(start):
    job = start("--until-stopped", "--pause", "0.01")
    (job.folder / "cancelled").touch()  # and then the window was gone
    assert FinetuningJob.unfinished_or_unread() is None
    wait_until(lambda: not job.running)
    wait_until(lambda: not job.undecided)


def test_it_is_found_again_by_another_window(start):
    """One that is no parent of the training."""
    job = start("--until-stopped", "--pause", "0.01")
    look = (
        "from napari_fetal_iqa.finetuning.job import FinetuningJob\n"
        "job = FinetuningJob.unfinished_or_unread()\n"
        "print(job.folder.name, job.running, len(job.events()) > 0)\n"
        "job.stop()\n"
    )
    wait_until(lambda: job.events())
    output = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    )
    assert output.stdout.split() == [job.folder.name, "True", "True"]
    wait_until(lambda: not job.running)
    found = FinetuningJob.unfinished_or_unread()
    assert found.folder == job.folder
    assert len(found.outcome().done) == 1
    found.put_away()
    assert FinetuningJob.unfinished_or_unread() is None


def test_it_outlives_who_started_it(request_cls):
    begin = (
        "import sys\n"
        "from pathlib import Path\n"
        "from napari_fetal_iqa.finetuning.job import FinetuningJob, FinetuningRequest\n"
        f"request = FinetuningRequest(Path({str(request_cls.store)!r}), 'cls', ('demo-cls',))\n"
        f"FinetuningJob.start(request, [*{FAKE!r}, '--until-stopped', '--pause', '0.01'])\n"
    )
    subprocess.run([sys.executable, "-c", begin], check=True)
    job = FinetuningJob.unfinished_or_unread()
    assert job.running
    wait_until(lambda: any(event.event == "step" for event in job.events()))
    job.stop()
    wait_until(lambda: not job.running)
    assert len(job.outcome().done) == 1


def test_one_that_died_says_so_in_a_sentence(start):
    job = start("--die")
    events = all_events(job)
    assert not any(event.event == "done" for event in events)
    assert job.outcome().done == ()
    assert job.outcome().error.startswith("The training ended without a result")
    assert job.outcome().error.endswith("MemoryError: no more")


def test_frames_that_a_dead_training_left_behind_go_with_it(start):
    job = start("--die")
    all_events(job)
    out = job.record.outs["cls"]
    left, other = out.parent / f".{out.name}.training", out.parent / ".another.training"
    for folder in (left, other):
        (folder / "frames-0").mkdir(parents=True)
        (folder / "frames-0" / "frames").write_bytes(b"pixels of a patient")
    job.put_away()
    assert not left.exists()
    assert other.exists()


def test_the_error_of_the_trainer_is_passed_on(start):
    job = start("--fail")
    wait_until(lambda: not job.running)
    assert job.outcome().error == "the base is gone; choose another"


def test_a_half_written_line_waits_for_its_end(start):
    job = start()
    wait_until(lambda: not job.running)
    log = job.folder / "progress.jsonl"
    log.write_bytes(b'{"event": "step", "done": 1}\nno event\n[1]\n{"event": "st')
    assert [event.done for event in job.events()] == [1]
    assert job.events() == []
    with log.open("ab") as file:
        file.write(b'ep", "done": 2}\n')
    assert [event.done for event in job.events()] == [2]


def test_a_line_longer_than_one_reading_is_read(start, monkeypatch):
    monkeypatch.setattr(event_log, "READ_BYTES", 100)
    job = start()
    events = all_events(job)
    assert [event.event for event in events].count("step") == 20
    assert events[-1].event == "done"


def test_another_process_of_the_same_number_is_not_taken_for_it(start):
    job = start("--until-stopped", "--pause", "0.01")
    again = FinetuningJob(job.folder)
    FinetuningJob._children.pop(job.folder).returncode = 0  # as in a window that did not start it
    assert again.running
    record = json.loads((job.folder / "job.json").read_text())
    record["birth"] = "long ago"
    (job.folder / "job.json").write_text(json.dumps(record))
    recycled = FinetuningJob(job.folder)
    assert not recycled.running
    assert recycled.outcome().error
    os.killpg(job.record.pid, signal.SIGKILL)
    os.waitpid(job.record.pid, 0)


def test_a_process_is_found_again_by_number_and_birth():
    """Version 0.1.0 wrote the boot's id before the time."""
    pid = os.getpid()
    birth = processes.birth(pid)
    boot, began = map(int, birth.split())
    # the boot's time wavers
    for born in (birth, f"5ac0-11 {began}", f"{boot} {began + 100}", f"{boot - 60} {began}"):
        assert processes.is_alive(processes.find(pid, born))
    of_another_boot = f"{boot - 86_400} {began}"
    for born in (None, "", "long ago", f"{boot} {began - 1000}", of_another_boot):
        assert processes.find(pid, born) is None


def test_an_ended_tree_takes_those_along_that_it_started():
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        child = int(process.stdout.readline())
        found = processes.find(process.pid, processes.birth(process.pid))
        assert processes.await_end(processes.terminate_tree(found), grace_seconds=10)
        assert not processes.is_alive(found)
        assert processes.birth(child) is None
    assert processes.await_end(processes.terminate_tree(found), grace_seconds=0)


def test_a_zombie_is_no_living_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        wait_until(lambda: processes.birth(process.pid) is None)


def test_only_one_at_a_time(start):
    job = start("--until-stopped", "--pause", "0.01")
    with pytest.raises(FinetuningError, match="learning already"):
        start()
    job.stop()
    wait_until(lambda: not job.running)
    start()


def test_a_new_model_is_discarded_by_its_folder(start):
    job = start()
    wait_until(lambda: not job.running)
    job.discard("cls")
    assert not job.record.outs["cls"].exists()
    assert job.undecided == ()


def test_a_program_that_is_not_there_is_one_clear_line(request_cls):
    with pytest.raises(FinetuningError, match="no-such-program"):
        FinetuningJob.start(request_cls, ["/no-such-program"])
    assert list(jobs_folder().iterdir()) == []


def test_a_damaged_record_is_left_alone(start):
    job = start()
    wait_until(lambda: not job.running)
    (job.folder / "job.json").write_text("{")
    assert FinetuningJob.unfinished_or_unread() is None


def test_the_window_knows_no_torch_to_follow_a_training():
    code = "import sys, napari_fetal_iqa.finetuning.job; print('torch' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "False"
