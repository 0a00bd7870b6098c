import errno

import pytest
from filelock import FileLock

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.tables.locks import claimed


def test_a_piece_of_work_is_claimed_by_one_and_free_again_after(tmp_path):
    with claimed(tmp_path, "a run") as ours:
        assert ours
        with claimed(tmp_path, "a run") as again, claimed(tmp_path, "another") as other:
            assert (again, other) == (False, True)
    with pytest.raises(ZeroDivisionError), claimed(tmp_path, "a run"):
        raise ZeroDivisionError
    with claimed(tmp_path, "a run") as ours:
        assert ours


def test_a_drive_that_locks_no_file_is_one_line(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    refused = pytest.raises(TrainingError, match=r"can be locked there \(No locks available\)")
    with refused, claimed(tmp_path, "a run"):
        raise AssertionError("claimed")
