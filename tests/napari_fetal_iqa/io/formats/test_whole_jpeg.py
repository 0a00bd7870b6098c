"""JPEG of which a part is missing, in front of a true end."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filereader import dcmread

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep
from napari_fetal_iqa.io.formats.whole_jpeg import check_jpeg_scans

END = b"\xff\xd9"


def jpeg(mode="L", size=(130, 97), **settings):
    """A noisy picture, compressed."""
    columns, rows = size
    pixels = np.random.default_rng(0).integers(60, 255, (rows, columns, 3)).astype(np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    file = io.BytesIO()
    image.save(file, "JPEG", **settings)
    return file.getvalue()


def damaged(data, how):
    scan = data.find(b"\xff\xda") + 14
    left = len(data) - scan
    if how == "half":
        return data[: scan + left // 2] + END
    return data[: scan + left // 3] + data[scan + 2 * left // 3 :]


SETTINGS = [
    {"mode": mode, "quality": quality, "subsampling": sampling, **more}
    for mode, sampling in [("L", 0), ("RGB", 0), ("RGB", 1), ("RGB", 2), ("CMYK", 0)]
    for quality in (20, 90)
    for more in ({}, {"optimize": True}, {"restart_marker_rows": 1})
]


@pytest.mark.parametrize("how", ["half", "no middle"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_sequential_jpeg_of_which_a_part_is_missing_is_found(settings, how):
    data = jpeg(**settings)
    part = damaged(data, how)
    if "restart_marker_rows" not in settings:
        Image.open(io.BytesIO(part)).load()  # Pillow says nothing

    check_jpeg_scans(data)
    with pytest.raises(ValueError, match="missing"):
        check_jpeg_scans(part)


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (16, 17), (33, 1), (1, 40)])
def test_no_whole_jpeg_is_refused(size):
    for mode, sampling, progressive, padding in itertools.product(
        ("L", "RGB", "CMYK"), (0, 1, 2), (False, True), (b"", b"\0", b"\xff", bytes(50))
    ):
        data = jpeg(mode, size, subsampling=sampling, progressive=progressive)
        check_jpeg_scans(data + padding)


def test_a_damaged_note_does_not_damage_the_picture():
    data = jpeg("RGB")
    for marker in (0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE):
        for note in (b"", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Adobe", b"ICC_PROFILE\0\x09\x01"):
            segment = bytes([0xFF, marker]) + (len(note) + 2).to_bytes(2, "big") + note
            check_jpeg_scans(data[:2] + segment + data[2:])


@pytest.mark.parametrize("how", ["half", "no middle"])
def test_a_jpeg_of_which_a_part_is_missing_is_refused(tmp_path, how):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    assert read_sweep(tmp_path).shape == (1, 97, 130)

    (tmp_path / "b.jpg").write_bytes(damaged(jpeg(), how))

    for source in (tmp_path / "b.jpg", tmp_path):
        with pytest.raises(SweepError, match=r"^b\.jpg: .*found a damaged"):
            read_sweep(source)


@pytest.mark.parametrize("how", ["half", "no middle"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_dicom_frame_of_which_a_part_is_missing_is_refused(save_dicom, how, place):
    frames = [jpeg(), jpeg()]
    shape = np.zeros((2, 97, 130), np.uint8)

    def save():
        return save_dicom("a.dcm", shape, uid.JPEGBaseline8Bit, PixelData=encapsulate(frames))

    assert read_sweep(save()).shape == (2, 97, 130)
    frames[place] = damaged(frames[place], how)
    path = save()
    with pytest.raises(SweepError, match=r"^a\.dcm: .*found a damaged"):
        np.asarray(read_sweep(path).frames)


@pytest.mark.parametrize("how", ["half", "no middle"])
@pytest.mark.parametrize(
    "name",
    ["JPGLosslessP14SV1_1s_1f_8b.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm"],
)
def test_a_frame_that_ffmpeg_decodes_is_refused_where_a_part_is_missing(tmp_path, name, how):
    """Lossless, near-lossless and 12-bit ones."""
    dataset = dcmread(get_testdata_file(name))
    (data,) = generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = encapsulate([damaged(data.rstrip(b"\0"), how)])
    dataset.save_as(tmp_path / "a.dcm")

    with pytest.raises(SweepError, match=r"^a\.dcm: .*found a damaged"):
        np.asarray(read_sweep(tmp_path / "a.dcm").frames)
