"""Raw frames behave as the array that they are, and never take the process with them."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.frames import raw_frames
from napari_fetal_iqa.io.frames.raw_frames import RawFrames

SHAPE = (7, 4, 5)
ARRAY = np.arange(7 * 4 * 5, dtype=np.uint8).reshape(SHAPE)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "a.raw"
    path.write_bytes(b"x" * 3 + ARRAY.tobytes() + b"more")
    return RawFrames(path, SHAPE, np.dtype(np.uint8), offset=3)


@given(index=basic_indices(SHAPE, allow_newaxis=True, allow_ellipsis=True))
def test_every_basic_index_gives_what_numpy_gives(frames, index):
    assert np.array_equal(frames[index], ARRAY[index])


@given(st.lists(st.integers(-7, 6)))
def test_lists_of_frames_give_what_numpy_gives(frames, chosen):
    assert np.array_equal(frames[chosen], ARRAY[np.array(chosen, int)])


def test_masks_of_frames_give_what_numpy_gives(frames):
    even = np.arange(7) % 2 == 0

    assert np.array_equal(frames[even], ARRAY[even])


@pytest.mark.parametrize("frame", [7, -8])
def test_a_frame_that_is_not_there_is_an_index_error(frames, frame):
    with pytest.raises(IndexError):
        frames[frame]


def test_they_have_the_face_of_an_array(frames):
    assert (frames.shape, frames.ndim, len(frames), frames.dtype) == (SHAPE, 3, 7, np.uint8)
    assert np.array_equal(np.stack(list(frames)), ARRAY)
    assert np.array_equal(np.asarray(frames), ARRAY)
    assert np.asarray(frames, dtype=float).dtype == float


def test_nobody_paints_on_what_is_read_but_on_a_copy(frames):
    with pytest.raises(ValueError, match="read-only"):
        frames[0][0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(frames)[0, 0, 0] = 1
    np.array(frames)[0, 0, 0] = 1
    assert np.array_equal(frames, ARRAY)


def test_without_reads_at_a_place_threads_take_turns(tmp_path, monkeypatch):
    """Windows has none."""
    monkeypatch.delattr(os, "preadv", raising=False)
    volume = np.repeat(np.arange(200, dtype=np.uint8), 64).reshape(200, 8, 8)
    (tmp_path / "a.raw").write_bytes(volume.tobytes())
    frames = RawFrames(tmp_path / "a.raw", volume.shape, volume.dtype, 0)
    wrong = []

    def look(start):
        wrong.extend(n for n in range(start, 200, 3) if not np.array_equal(frames[n], volume[n]))

    threads = [threading.Thread(target=look, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_large_volumes_are_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(raw_frames, "READ_BYTES", 7)
    monkeypatch.setattr(raw_frames, "HUGE_PAGE_BYTES", 50)
    (tmp_path / "a.raw").write_bytes(ARRAY.tobytes())

    frames = RawFrames(tmp_path / "a.raw", SHAPE, np.dtype(np.uint8), 0)

    assert np.array_equal(frames, ARRAY)


CHANGES = {
    "shortened": lambda path: os.truncate(path, 8192),
    "emptied": lambda path: os.truncate(path, 0),
    "changed in place": lambda path: path.write_bytes(path.read_bytes()[::-1]),
}


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "zlib"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_file_that_changes_while_it_is_open_ends_in_one_line(tmp_path, change, compress):
    volume = np.random.default_rng(0).integers(0, 255, (90, 64, 64), np.uint8)
    path = write_volume(tmp_path / "s.mha", volume, compress=compress)
    frames = read_sweep(path).frames
    first = np.array(frames[0])
    os.utime(path, ns=(0, 0))  # however coarse the clock of the file system is

    change(path)

    assert np.array_equal(first, volume[0])
    for look in (lambda: frames[80], lambda: frames[60:], lambda: np.asarray(frames)):
        with pytest.raises(SweepError, match=r"^s\.mha: [^\n]*; [^\n]*$"):
            look()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files from being moved")
@pytest.mark.parametrize("replace", [False, True])
def test_a_file_that_is_deleted_or_replaced_goes_on_being_read(tmp_path, replace):
    volume = np.random.default_rng(0).integers(0, 255, (9, 64, 64), np.uint8)
    path = write_volume(tmp_path / "s.mha", volume, compress=False)
    frames = read_sweep(path).frames

    path.unlink()
    if replace:
        write_volume(path, volume[::-1], compress=False)

    assert np.array_equal(frames[8], volume[8])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files from being cut")
def test_a_file_that_is_cut_while_the_command_reads_it_gets_one_line(tmp_path):
    path = write_volume(tmp_path / "s.mha", np.ones((84, 64, 64), np.uint8), compress=False)
    code = (
        "import os, sys; from napari_fetal_iqa import sweep; from napari_fetal_iqa.cli import main;"
        "real = sweep.SweepVolume.field_of_view.func;"
        f"cut = lambda self: (os.truncate({str(path)!r}, 8192), real(self))[1];"
        "sweep.SweepVolume.field_of_view = property(cut);"
        f"sys.argv = ['napari-fetal-iqa', 'info', {str(path)!r}]; main()"
    )

    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (child.returncode, child.stdout) == (1, "")
    assert child.stderr.startswith("napari-fetal-iqa: s.mha: expected the file as it was opened")
    assert child.stderr.count("\n") == 1


def test_the_file_is_closed_with_its_frames(tmp_path):
    path = write_volume(tmp_path / "s.mha", ARRAY, compress=False)
    frames = read_sweep(path).frames
    file = frames._file

    del frames

    assert file.closed
