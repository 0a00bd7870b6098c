import gzip
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io.frames import lazy_inflate
from napari_fetal_iqa.io.frames.lazy_inflate import InflatingFrames


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """So that seven small frames take many chunks."""
    monkeypatch.setattr(lazy_inflate, "CHUNK_BYTES", 100)


@pytest.fixture
def stream(volume):
    return zlib.compress(volume.tobytes())


@pytest.fixture
def lazy(tmp_path, volume, stream):
    path = tmp_path / "sweep.mha"
    path.write_bytes(b"header" + stream)
    return InflatingFrames(path, volume.shape, "zlib", 6, len(stream))


def test_looks_like_the_array_that_it_inflates_to(lazy, volume):
    assert (lazy.shape, lazy.dtype, lazy.ndim, len(lazy)) == (
        volume.shape,
        volume.dtype,
        volume.ndim,
        len(volume),
    )
    assert np.array_equal(np.asarray(lazy), volume)
    assert np.array_equal(list(lazy), volume)


def test_nothing_is_inflated_before_it_is_looked_at_and_no_more_than_that(lazy, volume):
    assert lazy.inflated_frames == 0

    assert np.array_equal(lazy[2], volume[2])

    assert lazy.inflated_frames == 3


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        np.int64(3),
        slice(1, 4),
        slice(None, None, 3),
        slice(5, 2, -1),
        slice(3, 3),
        (2, slice(3, 9), 4),
        (slice(2, 4), 5),
        ...,
        (..., 3),
        [4, 1],
        np.array([True, False, True, False, False, False, False]),
    ],
    ids=str,
)
def test_indexing_is_that_of_numpy(lazy, volume, index):
    assert np.array_equal(lazy[index], volume[index])


@pytest.mark.parametrize("index", [7, -8])
def test_there_is_no_frame_beyond_the_last(lazy, index):
    with pytest.raises(IndexError):
        lazy[index]
    assert lazy.inflated_frames == 0


def test_many_threads_see_the_same_frames(lazy, volume):
    start = threading.Barrier(8)
    wrong = []

    def look(seed: int) -> None:
        start.wait()
        for frame in np.random.default_rng(seed).permutation(len(volume)):
            if not np.array_equal(lazy[frame], volume[frame]):
                wrong.append(frame)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_the_background_inflates_the_rest(lazy, volume):
    lazy.inflate_in_background().join()

    assert lazy.inflated_frames == len(volume)


def test_the_background_leaves_damage_to_whoever_looks(tmp_path, volume, stream):
    path = tmp_path / "sweep.mha"
    path.write_bytes(stream[: len(stream) // 2])
    frames = InflatingFrames(path, volume.shape, "zlib", 0, len(stream) // 2)

    frames.inflate_in_background().join()

    inflated = frames.inflated_frames
    assert 0 < inflated < len(volume)
    assert np.array_equal(frames[:inflated], volume[:inflated])
    for _ in range(2):
        with pytest.raises(SweepError, match=f"ends at frame {inflated} of 7"):
            frames[inflated]


@pytest.mark.parametrize("flip", [0.3, 0.6, 0.9])
def test_a_flipped_bit_is_found_by_the_last_frame(tmp_path, volume, stream, flip):
    damaged = bytearray(stream)
    damaged[int(flip * len(stream))] ^= 16
    path = tmp_path / "sweep.mha"
    path.write_bytes(damaged)
    frames = InflatingFrames(path, volume.shape, "zlib", 0, len(damaged))

    with pytest.raises(SweepError, match="damaged"):
        np.asarray(frames)


def test_a_stream_without_its_checksum_is_damaged(tmp_path, volume, stream):
    path = tmp_path / "sweep.mha"
    path.write_bytes(stream[:-4])
    frames = InflatingFrames(path, volume.shape, "zlib", 0, len(stream) - 4)

    for _ in range(2):
        with pytest.raises(SweepError, match="damaged"):
            frames[6]


def test_a_stream_longer_than_the_header_says_is_read_as_far_as_that(tmp_path, volume, stream):
    path = tmp_path / "sweep.mha"
    path.write_bytes(stream)
    shape = (5, *volume.shape[1:])

    frames = InflatingFrames(path, shape, "zlib", 0, len(stream))

    assert np.array_equal(np.asarray(frames), volume[:5])


def test_gzip_members_are_joined_and_leading_bytes_skipped(tmp_path, volume):
    data = b"x" * 352 + volume.tobytes()
    members = b"".join(gzip.compress(part) for part in (data[:1000], b"", data[1000:]))
    path = tmp_path / "sweep.nii.gz"
    path.write_bytes(members)

    frames = InflatingFrames(path, volume.shape, "gzip", 0, len(members), skip=352)

    assert np.array_equal(np.asarray(frames), volume)


@pytest.mark.parametrize("change", [lambda p: p.write_bytes(p.read_bytes() + b"x"), Path.unlink])
def test_a_file_that_changes_meanwhile_is_to_be_opened_again(lazy, tmp_path, change):
    lazy[0]
    change(tmp_path / "sweep.mha")

    with pytest.raises(SweepError, match="open it again"):
        lazy[6]


def test_frames_cannot_be_written_to(lazy):
    for frames in (lazy[0], lazy[2:4], np.asarray(lazy)):
        with pytest.raises(ValueError, match="read-only"):
            frames[...] = 0


def test_copies_and_other_types_are_made_as_numpy_makes_them(lazy, volume):
    copied = np.array(lazy, copy=True)
    copied[:] = 0

    assert np.array_equal(np.asarray(lazy), volume)
    assert np.asarray(lazy, dtype=np.float32).dtype == np.float32
