import shutil

import numpy as np
import pytest

from napari_fetal_iqa.corrections import SweepRecord
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.storage.paths import remember_location


@pytest.fixture
def write_sweep(tmp_path):
    """Write the file of one sweep, of other frames for each seed; return its path."""

    def write(seed):
        frames = np.random.default_rng(seed).integers(5, 60, (36, 42, 56), dtype=np.uint8)
        return write_volume(tmp_path / f"sweep{seed}.mha", frames, (1.0, 1.0))

    return write


def opened(path):
    """Open a sweep as the window does; return what a store knows of it."""
    sweep = read_sweep(path)
    remember_location(sweep.identity, path)
    return SweepRecord(sweep.identity, sweep.shape, sweep.spacing_mm, sweep.bounds)


def test_a_sweep_is_found_where_it_was_opened(write_sweep):
    path = write_sweep(0)
    record = opened(path)
    finder = SweepFinder()
    assert finder.find(record).identity == record.identity
    assert finder.find(record).path == finder.find(record).path


def test_a_moved_and_renamed_sweep_is_found_by_its_content(write_sweep, tmp_path):
    path = write_sweep(0)
    record = opened(path)
    other = write_sweep(1)
    folder = tmp_path / "archive" / "2026"
    folder.mkdir(parents=True)
    shutil.move(path, folder / "renamed.mha")
    shutil.copy(other, folder / "a first.mha")
    (folder / "notes.txt").write_text("no sweep")
    found = SweepFinder([tmp_path / "archive"])
    assert found.find(record).identity == record.identity
    assert found.find(record).name == "renamed"


def test_a_sweep_that_is_gone_is_named(write_sweep):
    path = write_sweep(0)
    record = opened(path)
    path.unlink()
    with pytest.raises(SweepError, match=r"sweep0\.mha: is gone .*36 frames.*--sweeps"):
        SweepFinder().find(record)


def test_a_sweep_that_has_changed_is_named(write_sweep):
    path = write_sweep(0)
    record = opened(path)
    other = write_sweep(1)
    shutil.copy(other, path)
    with pytest.raises(SweepError, match=r"sweep0\.mha: has changed"):
        SweepFinder().find(record)


def test_a_sweep_of_another_machine_is_described(write_sweep):
    path = write_sweep(0)
    sweep = read_sweep(path)
    record = SweepRecord(sweep.identity, sweep.shape, None, sweep.bounds)
    with pytest.raises(SweepError, match=f"{sweep.identity[:8]}.*never opened on this machine"):
        SweepFinder().find(record)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SweepError, match="no such folder"):
        SweepFinder([tmp_path / "nowhere"])
