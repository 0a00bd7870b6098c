"""Samples that end at any bit of their words: what lies outside of them is none of the picture."""

import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep


def words_of(samples, stored: int, high: int, allocated: int, seed: int) -> np.ndarray:
    """Put samples into words, and anything into the bits above and below them."""
    below = high + 1 - stored
    own = (1 << stored) - 1
    anything = np.random.default_rng(seed).integers(0, 1 << allocated, samples.shape)
    words = ((samples & own) << below) | (anything & ~(own << below))
    return words.astype(f"u{allocated // 8}")


def bits(stored: int, high: int) -> dict:
    return {"BitsStored": stored, "HighBit": high}


def by_rle(frame: np.ndarray) -> bytes:
    """Encode a frame of 16-bit words by runs that repeat nothing (PS3.5, annex G)."""
    segments = []
    for plane in (frame >> 8, frame & 255):
        data = plane.astype(np.uint8).tobytes()
        pieces = [data[place : place + 128] for place in range(0, len(data), 128)]
        packed = b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = [2, 64, 64 + len(segments[0]), *[0] * 13]
    return struct.pack("<16L", *offsets) + b"".join(segments)


def by_jpeg_2000(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG2000", no_jp2=True)
    return file.getvalue()


SYNTAXES = {
    uid.ExplicitVRLittleEndian: None,
    uid.ImplicitVRLittleEndian: None,
    uid.ExplicitVRBigEndian: None,
    uid.RLELossless: by_rle,
    uid.JPEG2000Lossless: by_jpeg_2000,
}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.tuples(st.integers(2, 16), st.integers(1, 15)).filter(lambda p: p[1] >= p[0] - 1),
    signed=st.booleans(),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
    syntax=st.sampled_from(list(SYNTAXES)),
    seed=st.integers(0, 99),
)
@example((12, 15), False, "MONOCHROME2", uid.ExplicitVRLittleEndian, 0)
@example((8, 11), False, "MONOCHROME2", uid.ImplicitVRLittleEndian, 0)
@example((12, 15), True, "MONOCHROME2", uid.ExplicitVRBigEndian, 0)
@example((10, 12), True, "MONOCHROME1", uid.RLELossless, 0)
@example((12, 11), False, "MONOCHROME2", uid.JPEG2000Lossless, 0)
def test_samples_at_any_bits_are_read_as_if_they_filled_their_words(
    save_dicom, place, signed, photometric, syntax, seed
):
    stored, high = place
    if signed and syntax == uid.JPEG2000Lossless:
        signed = False  # Pillow writes none with a sign
    lowest = -(1 << stored - 1) if signed else 0
    samples = np.random.default_rng(seed).integers(lowest, lowest + (1 << stored), (2, 40, 50))
    samples[:, 0, 0] = lowest if signed else (1 << stored) - 1  # uses the highest bit
    kind = np.int16 if signed else np.uint16
    words = words_of(samples, stored, high, 16, seed)
    encode = SYNTAXES[syntax]
    pixels = {"PixelData": encapsulate([encode(frame) for frame in words])} if encode else {}
    given = {"PhotometricInterpretation": photometric}

    path = save_dicom("a.dcm", words.view(kind), syntax, **bits(stored, high), **pixels, **given)

    if photometric == "MONOCHROME1":
        samples = ~samples if signed else (1 << stored) - 1 - samples
    plain = save_dicom("plain.dcm", samples.astype(kind))
    assert np.array_equal(read_sweep(path).frames, read_sweep(plain).frames)


@pytest.mark.parametrize("high", [4, 5, 7])
def test_bits_within_a_byte_are_read(save_dicom, high):
    samples = np.arange(32).reshape(2, 4, 4)

    path = save_dicom("a.dcm", words_of(samples, 5, high, 8, 0), **bits(5, high))

    assert np.array_equal(read_sweep(path).frames, samples)


def test_an_overlay_in_unused_bits_is_no_part_of_the_picture(save_dicom, volume):
    overlay = np.zeros(volume.shape, np.uint16)
    overlay[:, 5:9, 5:9] = 0x1001  # one in a bit above and one in a bit below

    path = save_dicom("a.dcm", volume.astype(np.uint16) << 2 | overlay, **bits(8, 9))

    assert np.array_equal(read_sweep(path).frames, volume)


def test_without_a_high_bit_samples_are_the_lowest_bits(save_dicom, volume):
    path = save_dicom("a.dcm", volume.astype(np.uint16) | 0xF000, **bits(12, None))

    assert np.array_equal(read_sweep(path).frames, volume)


def test_padding_that_only_a_whole_word_can_hold_is_black_in_shifted_samples(save_dicom, volume):
    frames = volume.astype(np.uint16) << 4 | 3
    frames[:, :4] = 0xFFFF

    path = save_dicom("a.dcm", frames, **bits(12, 15), PixelPaddingValue=0xFFFF)

    assert np.array_equal(read_sweep(path).frames[:, 4:], volume[:, 4:])
    assert not np.asarray(read_sweep(path).frames)[:, :4].any()


@pytest.mark.parametrize("place", [(12, 16), (16, 7), (12, 3), (8, 200)])
@pytest.mark.parametrize("encode", [None, by_rle], ids=["uncompressed", "rle"])
def test_bits_that_cannot_be_are_refused(save_dicom, volume, place, encode):
    frames = volume.astype(np.uint16) * 16
    pixels = {"PixelData": encapsulate([encode(frame) for frame in frames])} if encode else {}
    syntax = uid.RLELossless if encode else uid.ExplicitVRLittleEndian

    path = save_dicom("a.dcm", frames, syntax, **bits(*place), **pixels)

    with pytest.raises(SweepError, match=r"^a\.dcm: expected pixels of \d+ bits .* found other"):
        read_sweep(path)


@pytest.mark.parametrize("signed", [False, True])
def test_a_high_bit_that_all_words_contradict_is_refused(save_dicom, signed):
    values = np.arange(-2048 if signed else 0, 2048).astype(np.int16 if signed else np.uint16)

    path = save_dicom("a.dcm", values.reshape(1, 32, -1), **bits(12, 15))

    with pytest.raises(SweepError, match="whose highest is bit 15 of 16"):
        read_sweep(path)


@pytest.mark.parametrize("place", [(8, 0), (8, 11), (8, 7)])
def test_the_high_bit_of_whole_bytes_says_nothing(save_dicom, volume, place):
    assert np.array_equal(read_sweep(save_dicom("a.dcm", volume, **bits(*place))).frames, volume)


def test_a_high_bit_too_low_is_harmless_where_all_values_fit(save_dicom, volume):
    path = save_dicom("a.dcm", volume.astype(np.uint16), **bits(16, 11))

    assert np.array_equal(read_sweep(path).frames, volume)


def test_compressed_samples_of_their_own_depth_lie_nowhere_in_a_word(save_dicom, volume):
    data = encapsulate([by_jpeg_2000(frame) for frame in volume])

    path = save_dicom("a.dcm", volume, uid.JPEG2000Lossless, PixelData=data, **bits(8, 3))

    assert np.array_equal(read_sweep(path).frames, volume)
