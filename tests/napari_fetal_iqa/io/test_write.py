import numpy as np
import pytest
import SimpleITK

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.storage.paths import replacing
from napari_fetal_iqa.sweep import SweepVolume, sweep_bounds

ENDINGS = [".mha", ".nii.gz", ".nrrd"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("compress", [False, True])
def test_itk_reads_what_is_written(tmp_path, volume, ending, compress):
    path = write_volume(tmp_path / f"a{ending}", volume, (0.2, 0.3), compress=compress)

    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayViewFromImage(image), volume)
    assert image.GetSpacing() == pytest.approx((0.3, 0.2, 1.0))
    assert image.GetOrigin() == (0, 0, 0)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_volume_comes_back_as_it_was(tmp_path, volume, ending):
    sweep = read_sweep(write_volume(tmp_path / f"a{ending}", volume, (0.2, 0.3)))

    assert np.array_equal(sweep.frames, volume)
    assert sweep.spacing_mm == pytest.approx((0.2, 0.3), rel=1e-6)


def test_the_length_of_the_sweeps_comes_back_and_itk_passes_over_it(tmp_path, volume):
    path = write_volume(tmp_path / "a.mha", volume, frames_per_sweep=2)

    sweep = read_sweep(path)
    assert (len(sweep), sweep.frames_per_sweep) == (len(volume), 2)
    assert sweep.bounds == sweep_bounds(len(volume), 2)
    assert read_sweep(path, frames_per_sweep=3).frames_per_sweep == 3
    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayViewFromImage(image), volume)
    assert image.GetMetaData("FramesPerSweep") == "2"


@pytest.mark.parametrize("length", ["0", "-1", "1e3", "2.5", "", "1000000", "two"])
def test_a_length_of_sweeps_that_is_none_is_one_line(tmp_path, volume, length):
    path = write_volume(tmp_path / "a.mha", volume, frames_per_sweep=2)
    path.write_bytes(
        path.read_bytes().replace(b"FramesPerSweep = 2", b"FramesPerSweep = " + length.encode())
    )

    with pytest.raises(SweepError, match=r"^a.mha: expected FramesPerSweep to be .*; save"):
        read_sweep(path)


def test_sweeps_of_different_lengths_have_no_length():
    frames = np.zeros((9, 2, 2), np.uint8)
    assert SweepVolume(frames, bounds=((0, 4), (4, 8), (8, 9))).frames_per_sweep == 4
    assert SweepVolume(frames, bounds=((0, 4), (4, 9))).frames_per_sweep is None
    assert SweepVolume(frames).frames_per_sweep == 9


def test_a_spacing_that_is_not_known_stays_unknown(tmp_path, volume):
    assert read_sweep(write_volume(tmp_path / "a.mha", volume)).spacing_mm is None


def test_lazy_frames_are_written_and_compression_saves_space(tmp_path, smooth_volume):
    raw = write_volume(tmp_path / "raw.mha", smooth_volume, compress=False)
    first = write_volume(tmp_path / "first.mha", smooth_volume)

    second = write_volume(tmp_path / "second.mha", read_sweep(first).frames)

    assert second.read_bytes() == first.read_bytes()
    assert first.stat().st_size < raw.stat().st_size / 2


def test_missing_folders_are_made_and_nothing_else_is_left(tmp_path, volume):
    path = write_volume(tmp_path / "b" / "c" / "a.mha", volume)

    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("ending", [".MHA", ".NII.GZ", ".NRRD"])
def test_endings_in_capitals_are_written(tmp_path, volume, ending):
    path = write_volume(tmp_path / f"A{ending}", volume, (0.2, 0.3))

    assert list(tmp_path.iterdir()) == [path]
    assert path.name == f"A{ending}"
    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("spacing_mm", [(0.2, -0.3), (0.0, 0.3), (np.nan, 0.3)])
def test_a_spacing_that_is_not_positive_is_refused_in_one_line(
    tmp_path, volume, ending, spacing_mm
):
    with pytest.raises(SweepError, match=rf"^a\{ending}: expected a spacing of positive") as caught:
        write_volume(tmp_path / f"a{ending}", volume, spacing_mm)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.mhd", "a.tif", "a", "a.nii"])
def test_other_endings_are_refused(tmp_path, volume, name):
    with pytest.raises(SweepError, match="ends with"):
        write_volume(tmp_path / name, volume)


@pytest.mark.parametrize(
    "array", [np.zeros((3, 4), np.uint8), np.zeros((2, 3, 4)), np.zeros((0, 3, 4), np.uint8)]
)
def test_only_volumes_of_uint8_are_written(tmp_path, array):
    with pytest.raises(SweepError, match="expected a volume"):
        write_volume(tmp_path / "a.mha", array)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_folder_that_cannot_be_made_is_reported(tmp_path, volume, ending):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SweepError, match=rf"^a{ending}: cannot be written \(.*\); choose"):
        write_volume(tmp_path / "file" / f"a{ending}", volume)


def test_when_writing_fails_the_old_file_stays(tmp_path, volume, monkeypatch):
    path = write_volume(tmp_path / "a.nrrd", volume)
    before = path.read_bytes()

    def fail(image, new, **settings):
        with open(new, "wb") as file:
            file.write(b"half of it")
        raise RuntimeError("disk full")

    monkeypatch.setattr(SimpleITK, "WriteImage", fail)
    with pytest.raises(SweepError, match="cannot be written"):
        write_volume(path, volume[:1])

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_keeps_the_old_file_until_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    with replacing(path) as new:
        new.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_leaves_errors_of_the_block_alone(tmp_path):
    with pytest.raises(ValueError, match="mine"), replacing(tmp_path / "a.txt"):
        raise ValueError("mine")

    assert list(tmp_path.iterdir()) == []
