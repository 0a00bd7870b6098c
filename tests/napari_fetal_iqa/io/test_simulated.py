"""A phantom is known again from its file; what is not marked is real."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.acouslic import write_case
from napari_fetal_iqa.phantom import PhantomSettings, make_phantom
from napari_fetal_iqa.review.worklist.facts import note
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.storage.known_sweeps import KnownSweeps

FRAMES = np.full((3, 20, 30), 9, np.uint8)


def test_a_phantom_that_was_written_is_one_when_it_is_read(tmp_path):
    case = make_phantom(PhantomSettings.small(), seed=1)
    assert case.sweep.simulated
    written = write_case(tmp_path, "a", case.sweep, case.masks, [], subject_id="a")
    read = read_sweep(written.image_path)
    assert read.simulated
    assert read.with_bounds(5).simulated
    assert read.identity == case.sweep.identity


@pytest.mark.parametrize(
    ("name", "simulated"),
    [
        ("case_17", False),
        ("phantom-training-000012", True),
        ("phantom-small-shifted-770001", True),
        ("phantom_demo_0.1.0", True),
        ("phantom-of-gel", False),  # a hospital's own, and real ultrasound
        ("phantom", False),
    ],
)
def test_without_a_mark_only_the_names_of_earlier_versions_tell(tmp_path, name, simulated):
    path = write_volume(tmp_path / f"{name}.mha", FRAMES)
    assert b"Simulated" not in path.read_bytes()
    assert read_sweep(path).simulated is simulated


@pytest.mark.parametrize(("said", "simulated"), [("False", False), ("maybe", True)])
def test_the_mark_counts_more_than_the_name_and_nonsense_is_none(tmp_path, said, simulated):
    path = write_volume(tmp_path / "phantom-demo-000001.mha", FRAMES, simulated=True)
    path.write_bytes(path.read_bytes().replace(b"Simulated = True", f"Simulated = {said}".encode()))
    assert read_sweep(path).simulated is simulated


def test_a_list_knows_phantoms_without_their_frames_also_those_it_noted_before(tmp_path):
    marked = write_volume(tmp_path / "a.mha", FRAMES, simulated=True)
    old = write_volume(tmp_path / "phantom-demo-000001.mha", FRAMES)
    real = write_volume(tmp_path / "b.mha", FRAMES)
    for path in (marked, old, real):
        note(read_sweep(path))
    assert kinds(marked, old, real) == [True, True, False]
    with closing(sqlite3.connect(paths.cache() / "known-sweeps.sqlite")) as connection, connection:
        connection.execute("ALTER TABLE known DROP COLUMN simulated")
    assert kinds(marked, old, real) == [False, True, False]
    note(read_sweep(marked))
    assert kinds(marked, old, real) == [True, True, False]


def kinds(*places):
    known = KnownSweeps()
    found = [known.find(path, [path]).without_frames("a").simulated for path in places]
    known.close()
    return found
