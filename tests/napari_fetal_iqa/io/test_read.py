import subprocess
import sys
from pkgutil import resolve_name

import numpy as np
import pytest
from PIL import Image

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read, read_sweep, write_volume
from napari_fetal_iqa.io.formats import metaimage
from napari_fetal_iqa.io.formats.video import CONTAINERS


@pytest.mark.parametrize("name", ["a.mha", "a.dcm", "folder", "a\0b.mha", "a" * 300 + ".mha"])
def test_a_path_that_is_not_there_is_reported_missing(tmp_path, name):
    with pytest.raises(SweepError, match=r"(no such file|cannot be read).*; check"):
        read_sweep(tmp_path / name)


@pytest.mark.parametrize("ending", [*read.READERS, ".txt", ""])
def test_an_empty_file_is_refused_whatever_its_ending(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"")

    with pytest.raises(SweepError, match="found an empty file"):
        read_sweep(path)


@pytest.mark.parametrize("ending", read.READERS)
@pytest.mark.parametrize(
    "data", [b"x", b"what is this?\n" * 1000, bytes(5000)], ids=["byte", "text", "zeros"]
)
def test_another_kind_of_file_is_refused_in_one_line(tmp_path, ending, data):
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)

    with pytest.raises(SweepError) as caught:
        read_sweep(path)

    assert str(caught.value).startswith(f"a{ending}: expected ")
    assert "; " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["notes.txt", "README"])
def test_an_unknown_ending_lists_what_can_be_opened(tmp_path, name):
    (tmp_path / name).write_text("hello")

    with pytest.raises(SweepError, match=r"another kind of file; open \.mha, .*or a folder"):
        read_sweep(tmp_path / name)


def test_a_file_that_may_not_be_read_is_reported(tmp_path, volume, request):
    path = write_volume(tmp_path / "a.mha", volume)
    path.chmod(0)
    request.getfixturevalue("as_nobody")

    with pytest.raises(SweepError, match=r"a\.mha: no permission"):
        read_sweep(path)


def test_a_volume_that_does_not_fit_into_memory_is_reported(tmp_path, volume, monkeypatch):
    path = write_volume(tmp_path / "a.mha", volume)

    def greedy(path):
        raise MemoryError

    monkeypatch.setattr(metaimage, "read_metaimage", greedy)

    with pytest.raises(SweepError, match=r"a\.mha: does not fit into memory"):
        read_sweep(path)


def test_a_path_may_be_text_and_endings_in_capitals(tmp_path, volume):
    path = write_volume(tmp_path / "a.MHA", volume)

    assert np.array_equal(read_sweep(str(path)).frames, volume)


def test_opening_a_sweep_imports_neither_torch_nor_qt_nor_other_formats(tmp_path, volume):
    path = write_volume(tmp_path / "a.mha", volume)
    code = (
        "import sys; from napari_fetal_iqa.contributions.reader import get_reader;"
        f"layer = get_reader({str(path)!r})({str(path)!r})[0]; layer[0][0];"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )

    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()

    assert "napari_fetal_iqa" in loaded
    heavy = {"torch", "qtpy", "napari", "PyQt6", "SimpleITK", "pydicom", "nibabel", "av", "PIL"}
    assert not heavy & set(loaded)


def test_every_ending_has_a_reader_and_every_video_a_container():
    for reader in read.READERS.values():
        assert callable(resolve_name(f"napari_fetal_iqa.io.formats.{reader}"))
    videos = {ending for ending, reader in read.READERS.items() if "video" in reader}
    assert videos == set(CONTAINERS)


@pytest.mark.parametrize("pattern", [".", "*.png"])
def test_a_sweep_in_the_working_folder_has_the_name_of_the_folder(
    tmp_path, volume, monkeypatch, pattern
):
    (tmp_path / "case").mkdir()
    Image.fromarray(volume[0]).save(tmp_path / "case" / "0.png")
    monkeypatch.chdir(tmp_path / "case")

    assert read_sweep(pattern).name == "case"


def test_dicom_files_in_the_working_folder_have_the_name_of_the_folder(
    tmp_path, save_dicom, volume, monkeypatch
):
    save_dicom("case/a", volume)
    monkeypatch.chdir(tmp_path / "case")

    assert read_sweep(".").name == "case"
