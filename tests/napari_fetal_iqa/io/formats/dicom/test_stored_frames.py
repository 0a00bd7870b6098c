"""How many frames are stored, whatever the header says: read if whole, else refused."""

import io

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders import RLELosslessEncoder

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep

NATIVE = [
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
]


def jpeg(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=95)
    return file.getvalue()


def jpeg_2000(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG2000", irreversible=False, no_jp2=True)
    return file.getvalue()


def rle(frame: np.ndarray) -> bytes:
    return RLELosslessEncoder.encode(
        frame.tobytes(),
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=1,
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
        transfer_syntax_uid=uid.ExplicitVRLittleEndian,
        encoding_plugin="pydicom",
    )


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("declared", [None, "", 0, 1, 3, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_all_whole_frames_are_read(save_dicom, volume, syntax, declared, dtype):
    frames = volume[:, :5, :7].astype(dtype)  # an odd number of bytes in 8 bits

    path = save_dicom("a.dcm", frames, syntax, NumberOfFrames=declared)

    assert np.array_equal(read_sweep(path).frames, frames)


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("declared", [None, 0, 1, 3, 7, 8])
def test_frames_that_are_not_whole_are_refused(save_dicom, volume, syntax, declared):
    stored = np.maximum(volume, 1)[:7].tobytes()[:-100]

    path = save_dicom("a.dcm", volume, syntax, NumberOfFrames=declared, PixelData=stored)

    with pytest.raises(SweepError, match=r"a\.dcm: expected .* frames of 768 bytes, found 6 and"):
        read_sweep(path)


def test_zeros_behind_the_last_frame_are_padding(save_dicom, volume):
    path = save_dicom("a.dcm", volume, PixelData=volume.tobytes() + bytes(30))

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("declared", [None, 0, 1, 6])
@pytest.mark.parametrize(("zeros", "read"), [(2, True), (14, True), (16, False), (384, False)])
def test_zeros_that_may_be_a_cut_black_frame_are_refused(save_dicom, volume, declared, zeros, read):
    stored = volume.tobytes() + bytes(zeros)
    path = save_dicom("a.dcm", volume, NumberOfFrames=declared, PixelData=stored)

    if read:
        assert np.array_equal(read_sweep(path).frames, volume)
    else:
        with pytest.raises(SweepError, match=f"found 7 and {zeros} bytes more"):
            read_sweep(path)


@pytest.mark.parametrize("rest", [b"  ", b"\xff" * 100, bytes(300)])
def test_what_follows_all_frames_that_the_header_says_is_passed_over(save_dicom, volume, rest):
    path = save_dicom("a.dcm", volume, PixelData=volume.tobytes() + rest)

    assert np.array_equal(read_sweep(path).frames, volume)


@pytest.mark.parametrize("wrong", [{"Rows": 23}, {"Columns": 31}])
def test_a_row_or_column_too_few_is_refused(save_dicom, volume, wrong):
    path = save_dicom("a.dcm", np.maximum(volume, 1), **wrong)

    with pytest.raises(SweepError, match="bytes more"):
        read_sweep(path)


DISGUISED = {
    "one item": lambda frame: encapsulate([jpeg(frame)], has_bot=False),
    "one item, RLE": lambda frame: encapsulate([rle(frame)], has_bot=False),
    "one item of whatever": lambda frame: b"\xfe\xff\0\xe0\xf8\x1f\0\0" + b"x" * 0x1FF8,
    "bare JPEG": jpeg,
    "bare JPEG 2000": jpeg_2000,
    "bare JPEG, cut": lambda frame: jpeg(frame)[:-40],
}


@pytest.mark.parametrize("kind", DISGUISED)
@pytest.mark.parametrize("syntax", NATIVE)
def test_compressed_pixels_that_are_said_to_be_uncompressed_are_refused(save_dicom, kind, syntax):
    frame = np.random.default_rng(3).integers(0, 99, (64, 128), np.uint8)
    data = DISGUISED[kind](frame)
    assert len(data) <= 64 * 128 + 8 or kind == "one item, RLE"
    height = 256 if kind == "one item, RLE" else 64
    frames = np.zeros((1, height, 128), np.uint8)

    path = save_dicom("a.dcm", frames, syntax, PixelData=data.ljust(height * 128, b"\0"))

    with pytest.raises(SweepError, match=r"a\.dcm: expected uncompressed pixels"):
        read_sweep(path)


def test_grey_that_begins_as_jpeg_does_is_read(save_dicom, volume):
    frames = volume.copy()
    frames[0, 0, :4] = 0xFF, 0xD8, 0xFF, 0xE0
    frames[-1, -1, -1] = 5

    assert np.array_equal(read_sweep(save_dicom("a.dcm", frames)).frames, frames)


def test_no_pixels_are_no_frame(save_dicom, volume):
    with pytest.raises(SweepError, match="found 0 and 0 bytes more"):
        read_sweep(save_dicom("a.dcm", volume, NumberOfFrames=None, PixelData=b""))


def test_frames_of_single_bits_follow_without_a_gap(save_dicom):
    bits = np.random.default_rng(1).integers(0, 2, (3, 5, 7), np.uint8)
    packed = np.packbits(bits, bitorder="little").tobytes()
    given = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": packed}

    path = save_dicom("a.dcm", bits, **given)

    assert np.array_equal(read_sweep(path).frames, bits)
    assert np.array_equal(read_sweep(path).frames, pydicom.dcmread(path).pixel_array)


# Uncompressed YBR_FULL_422


def ycc(seed: int = 0, count: int = 3) -> np.ndarray:
    """(T, 24, 32, 3) Y, Cb, Cr of smooth colours; two pixels in a row share theirs."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 6, 8, 3), np.uint8)
    rgb = [Image.fromarray(frame).resize((32, 24), Image.Resampling.BICUBIC) for frame in small]
    frames = np.stack([np.asarray(image.convert("YCbCr")) for image in rgb])
    frames[:, :, 1::2, 1:] = frames[:, :, ::2, 1:]
    return frames


def halved(frames: np.ndarray) -> bytes:
    """Y1 Y2 Cb Cr (PS3.3, C.7.6.3.1.2)."""
    count, rows, columns, _ = frames.shape
    stored = np.empty((count, rows, columns // 2, 4), np.uint8)
    stored[..., :2] = frames[..., 0].reshape(count, rows, -1, 2)
    stored[..., 2:] = frames[:, :, ::2, 1:]
    return stored.tobytes()


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("declared", [True, False])
def test_uncompressed_ybr_full_422_is_read(save_dicom, syntax, count, declared):
    frames = ycc(count=count)
    data = halved(frames)
    given = {
        "PhotometricInterpretation": "YBR_FULL_422",
        "PixelData": data,
        "NumberOfFrames": count if declared or count > 1 else None,
    }

    path = save_dicom("a.dcm", frames, syntax, **given)

    assert np.array_equal(read_sweep(path).frames, frames[..., 0])
    oracle = pydicom.pixels.pixel_array(pydicom.dcmread(path), raw=True)
    assert np.array_equal(oracle.reshape(frames.shape), frames)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("declared", [3, 1, None])
def test_ybr_full_422_of_three_bytes_a_pixel_is_read(save_dicom, planar, declared):
    frames = ycc()[:, :23]  # 2208 bytes, no whole number of frames of two bytes a pixel
    data = (frames.transpose(0, 3, 1, 2) if planar else frames).tobytes()

    path = save_dicom(
        "a.dcm",
        frames,
        PhotometricInterpretation="YBR_FULL_422",
        PlanarConfiguration=planar,
        NumberOfFrames=declared,
        PixelData=data,
    )

    assert np.array_equal(read_sweep(path).frames, frames[..., 0])


def test_ybr_full_422_that_is_plainly_rgb_is_read_as_such(save_dicom, volume):
    colour = np.repeat(volume[:3, ..., np.newaxis], 3, axis=-1)
    colour[:, :3, 20:] = (0, 0, 255)

    path = save_dicom("a.dcm", colour, PhotometricInterpretation="YBR_FULL_422")

    expected = volume[:3].copy()
    expected[:, :3, 20:] = 29  # 0.114 of 255
    assert np.array_equal(read_sweep(path).frames, expected)


def test_ybr_full_422_that_may_be_two_or_three_frames_is_refused(save_dicom):
    path = save_dicom(
        "a.dcm", ycc(count=2), PhotometricInterpretation="YBR_FULL_422", NumberOfFrames=None
    )

    with pytest.raises(SweepError, match="may be 3 or 2 frames"):
        read_sweep(path)


# Compressed frames

CODECS = {
    "JPEG": (uid.JPEGBaseline8Bit, jpeg, 3),
    "JPEG 2000": (uid.JPEG2000Lossless, jpeg_2000, 0),
    "RLE": (uid.RLELossless, rle, 0),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("declared", [None, "", 0, 1, 3, 7])
@pytest.mark.parametrize("table", [True, False])
def test_all_compressed_frames_are_read(save_dicom, smooth_volume, codec, declared, table):
    syntax, encode, tolerance = CODECS[codec]
    data = encapsulate([encode(frame) for frame in smooth_volume], has_bot=table)

    path = save_dicom("a.dcm", smooth_volume, syntax, NumberOfFrames=declared, PixelData=data)

    frames = np.asarray(read_sweep(path).frames, int)
    assert frames.shape == smooth_volume.shape
    assert np.abs(frames - smooth_volume).max() <= tolerance


@pytest.mark.parametrize("codec", ["JPEG", "JPEG 2000"])
@pytest.mark.parametrize("declared", [None, 1, 7])
@pytest.mark.parametrize("table", [True, False])
def test_frames_in_several_fragments_are_put_together(
    save_dicom, smooth_volume, codec, declared, table
):
    syntax, encode, tolerance = CODECS[codec]
    encoded = [encode(frame) for frame in smooth_volume]
    data = encapsulate(encoded, fragments_per_frame=3, has_bot=table)

    path = save_dicom("a.dcm", smooth_volume, syntax, NumberOfFrames=declared, PixelData=data)

    frames = np.asarray(read_sweep(path).frames, int)
    assert frames.shape == smooth_volume.shape
    assert np.abs(frames - smooth_volume).max() <= tolerance


def test_the_extended_offset_table_is_followed(save_dicom, smooth_volume):
    encoded = [jpeg_2000(frame) for frame in smooth_volume]
    data, offsets, lengths = encapsulate_extended(encoded)

    path = save_dicom(
        "a.dcm",
        smooth_volume,
        uid.JPEG2000Lossless,
        NumberOfFrames=1,
        PixelData=data,
        ExtendedOffsetTable=offsets,
        ExtendedOffsetTableLengths=lengths,
    )

    assert np.array_equal(read_sweep(path).frames, smooth_volume)


def test_an_offset_table_of_fewer_frames_than_there_are_hides_none(save_dicom, smooth_volume):
    encoded = [rle(frame) for frame in smooth_volume]
    data = bytearray(encapsulate(encoded, has_bot=True))
    short = data[:4] + (12).to_bytes(4, "little") + data[8:20] + data[8 + 4 * 7 :]

    path = save_dicom("a.dcm", smooth_volume, uid.RLELossless, PixelData=bytes(short))

    assert np.array_equal(read_sweep(path).frames, smooth_volume)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("table", [True, False])
def test_fewer_compressed_frames_than_the_header_says_are_refused(
    save_dicom, smooth_volume, codec, table
):
    syntax, encode, _ = CODECS[codec]
    data = encapsulate([encode(frame) for frame in smooth_volume[:5]], has_bot=table)

    path = save_dicom("a.dcm", smooth_volume, syntax, PixelData=data)

    with pytest.raises(SweepError, match=r"a\.dcm: expected 7 frames, found 5; copy"):
        read_sweep(path)


@pytest.mark.parametrize(("declared", "read"), [(7, True), (None, False), (8, False)])
def test_fragments_without_an_end_are_whole_where_their_number_says_so(
    save_dicom, smooth_volume, declared, read
):
    data = encapsulate([rle(frame) for frame in smooth_volume])
    path = save_dicom(
        "a.dcm", smooth_volume, uid.RLELossless, NumberOfFrames=declared, PixelData=data
    )
    assert path.read_bytes()[-8:] == b"\xfe\xff\xdd\xe0\0\0\0\0"
    path.write_bytes(path.read_bytes()[:-8])

    if read:
        assert np.array_equal(read_sweep(path).frames, smooth_volume)
        return
    with pytest.raises(SweepError):
        read_sweep(path)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("syntax", NATIVE[:2])
@pytest.mark.parametrize("cut", [0, 8])
def test_compressed_frames_are_never_shown_as_pixels(save_dicom, smooth_volume, codec, syntax, cut):
    _, encode, _ = CODECS[codec]
    data = encapsulate([encode(frame) for frame in smooth_volume])
    data = data[: len(data) - cut]  # with and without the delimiter
    frames = smooth_volume[: len(data) // smooth_volume[0].size]

    path = save_dicom("a.dcm", frames, syntax, PixelData=data)

    with pytest.raises(SweepError, match="found compressed ones; export"):
        read_sweep(path)


def test_compressed_frames_of_undefined_length_are_never_shown_as_pixels(save_dicom, volume):
    data = encapsulate([rle(frame) for frame in volume])
    path = save_dicom("a.dcm", volume, uid.RLELossless, PixelData=data)
    raw = path.read_bytes().replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0")
    path.write_bytes(raw)

    with pytest.raises(SweepError, match="found compressed ones"):
        read_sweep(path)


def test_pixels_that_only_begin_like_a_fragment_are_pixels(save_dicom, volume):
    frames = volume.copy()
    frames[0, 0, :8] = tuple(b"\xfe\xff\x00\xe0\x00\x00\x00\x00")

    assert np.array_equal(read_sweep(save_dicom("a.dcm", frames)).frames, frames)


@pytest.mark.parametrize("codec", CODECS)
def test_uncompressed_pixels_that_are_called_compressed_are_refused(save_dicom, volume, codec):
    path = save_dicom("a.dcm", volume, CODECS[codec][0], PixelData=encapsulate([b"data"]))
    dataset = pydicom.dcmread(path)
    data = path.read_bytes()
    start = data.index(b"\xe0\x7f\x10\x00OB")
    length = volume.nbytes.to_bytes(4, "little")
    path.write_bytes(data[: start + 8] + length + volume.tobytes())

    assert dataset.file_meta.TransferSyntaxUID.is_compressed
    with pytest.raises(SweepError, match="decoders can read"):
        read_sweep(path)


@pytest.mark.filterwarnings("ignore:The number of bytes of pixel data is")  # of pydicom, too
@pytest.mark.filterwarnings("ignore:A value of .0. for")
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.integers(2, 9),
    columns=st.integers(1, 9),
    stored=st.integers(1, 5),
    declared=st.integers(0, 7),
    syntax=st.sampled_from(NATIVE),
    dtype=st.sampled_from([np.uint8, np.uint16, np.int16, np.uint32]),
    colour=st.booleans(),
)
def test_what_is_read_is_what_pydicom_reads(
    save_dicom, rows, columns, stored, declared, syntax, dtype, colour
):
    if colour:
        dtype = np.uint8
    shape = (stored, rows, columns, 3) if colour else (stored, rows, columns)
    frames = np.random.default_rng(rows).integers(0, 128, shape).astype(dtype)
    path = save_dicom("a.dcm", frames, syntax, NumberOfFrames=declared)

    if declared > stored:
        with pytest.raises(SweepError):
            read_sweep(path)
        return
    found = np.asarray(read_sweep(path).frames)

    expected = pydicom.dcmread(path).pixel_array.reshape(shape)  # the surplus included
    if colour:
        assert np.abs(found - expected @ [0.299, 0.587, 0.114]).max() <= 0.5 + 1e-6
    else:
        assert np.array_equal(found, expected)
