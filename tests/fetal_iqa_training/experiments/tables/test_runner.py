"""Several processes in one folder: the note of why a row failed is of who makes the run."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables import runner
from fetal_iqa_training.experiments.tables.locks import lock_of

ROW = SimpleNamespace(name="fetalclip")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A runner of one row of two runs, of which each fails, and where it notes why."""
    note = tmp_path / "fetalclip" / "failure.txt"
    note.parent.mkdir()
    finished = Mock(failure_file=Mock(return_value=note))
    finished.result_of.return_value = SimpleNamespace(runs=(), row=ROW)
    monkeypatch.setattr(runner, "FinishedRuns", lambda *_: finished)
    monkeypatch.setattr(runner, "check_one_start", lambda _: None)
    plan = Mock(out=tmp_path, seeds=(0, 1), runs=2)
    plan.folder_of = lambda _, seed: note.parent / f"seed-{seed}"
    one = runner.Runner(plan, {}, Mock())
    monkeypatch.setattr(one, "_fit", Mock(side_effect=TrainingError("the disk is full")))
    return one, note


@pytest.mark.parametrize("taken", [(0,), (0, 1)])
def test_a_note_stays_while_another_process_makes_a_run_of_the_row(made, tmp_path, taken):
    one, note = made
    note.write_text("out of memory\n")
    seen = []
    one._begin_run = lambda _: seen.append(note.exists())
    locks = [lock_of(tmp_path, f"fetalclip-seed-{seed}") for seed in taken]
    for lock in locks:
        lock.acquire()
    list(one.run([ROW]))
    for lock in locks:
        lock.release()
    assert seen == [True] * (2 - len(taken))
    expected = "out of memory\n" if len(taken) == 2 else "the disk is full\n"
    assert note.read_text() == expected


def test_a_row_that_is_begun_anew_has_no_note_until_it_fails(made):
    one, note = made
    note.write_text("out of memory\n")
    seen = []
    one._begin_run = lambda _: seen.append(note.exists())
    list(one.run([ROW]))
    assert seen == [False]
    assert note.read_text() == "the disk is full\n"
