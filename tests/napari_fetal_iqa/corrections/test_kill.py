"""A process killed at any moment loses no correction that was acknowledged."""

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from napari_fetal_iqa.corrections import CorrectionStore, Label
from napari_fetal_iqa.sweep import SweepVolume

WRITER = Path(__file__).with_name("killed_writer.py")
spec = importlib.util.spec_from_file_location("killed_writer", WRITER)
writer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(writer)

KILLS_PER_STORE = 20

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@contextmanager
def warm_writer():
    process = subprocess.Popen(
        [sys.executable, WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield process
        process.stdin.close()


def kill_while_writing(process, path, seed, milliseconds):
    """Let a child write for a while and kill it; return the edits that it acknowledged."""
    process.stdin.write(f"{path} {seed}\n")
    process.stdin.flush()
    pid = int(process.stdout.readline())
    time.sleep(milliseconds / 1000)
    os.kill(pid, signal.SIGKILL)
    lines = list(iter(process.stdout.readline, "ended\n"))
    return [[tuple(event) for event in json.loads(line)] for line in lines]


def new_store(path):
    frames = np.zeros((writer.N_FRAMES, *writer.SHAPE), np.uint8)
    sweep = SweepVolume(frames)
    sweep.__dict__["identity"] = writer.SWEEP
    with CorrectionStore(path) as store:
        store.add_sweep(sweep)


def content_of(event):
    return event.frame, event.kind.value, writer.checksum(event.label, event.mask)


def check(path, n_before, acknowledged):
    """Compare a store with what was acknowledged since it held ``n_before`` events.

    Gives its number of events, and whether the child died between storing and acknowledging.
    """
    with CorrectionStore(path) as store:
        (verdict,) = store._connection.execute("PRAGMA integrity_check").fetchone()
        events = store.events()
        states = store.corrections(writer.SWEEP, writer.REVIEWER)
    assert verdict == "ok"
    new = [content_of(event) for event in events[n_before:]]
    expected = [event for edit in acknowledged for event in edit]
    assert new[: len(expected)] == expected
    unacknowledged = events[n_before + len(expected) :]
    # at most the one call that the kill came into, and that one whole
    assert len({event.action for event in unacknowledged}) <= 1
    assert len(unacknowledged) in (0, 1, writer.SEVERAL)

    last = {}
    for event in events:
        last[event.frame, event.kind.value] = content_of(event)[2]
        if event.mask is not None and last.get((event.frame, "label")) == Label.NONE:
            del last[event.frame, "label"]  # an outline takes it back
    state = {}
    for frame, correction in states.items():
        if correction.label is not None:
            state[frame, "label"] = writer.checksum(correction.label, None)
        if correction.mask is not None:
            state[frame, "mask"] = writer.checksum(None, correction.mask)
    assert state == last
    return len(events), bool(unacknowledged)


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    """Stores on a disk, where most kills meet a flush; and in memory, where they meet our code."""
    if request.param == "disk":
        yield tmp_path
    elif Path("/dev/shm").is_dir():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as in_memory:
            yield Path(in_memory)
    else:
        pytest.skip("no file system in memory")


@pytest.mark.parametrize(
    "kills", [20, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.mutations])]
)
def test_a_killed_process_loses_nothing_that_was_acknowledged(folder, record_property, kills):
    chance = random.Random(kills)
    n_edits = n_events = unacknowledged = 0
    with warm_writer() as process:
        for kill in range(kills):
            path = folder / f"{kill // KILLS_PER_STORE}.sqlite"
            if kill % KILLS_PER_STORE == 0:
                new_store(path)
                n_events = 0
            acknowledged = kill_while_writing(process, path, kill, chance.uniform(1, 60))
            n_events, stored_unacknowledged = check(path, n_events, acknowledged)
            n_edits += len(acknowledged)
            unacknowledged += stored_unacknowledged
    assert n_edits > 0
    told = {"acknowledged": n_edits, "stored unacknowledged": unacknowledged}
    record_property("mutations", {"what": "kills", "tried": kills, **told})
