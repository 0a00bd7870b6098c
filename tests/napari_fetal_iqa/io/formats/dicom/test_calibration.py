"""Spacing from ultrasound regions, PixelSpacing and functional groups, and the note beside it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset

from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import describe, read_sweep
from napari_fetal_iqa.io.formats.dicom.calibration import Calibration, spacing_of
from napari_fetal_iqa.io.formats.dicom.regions import Picture, Region


def region(
    delta_x_cm=0.03, delta_y_cm=0.02, units=3, size=(32, 24), first=(0, 0), **more
) -> Dataset:
    """One ultrasound region, ``size`` and ``first`` in columns and rows, pixels in cm."""
    item = Dataset()
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = delta_x_cm, delta_y_cm
    item.RegionLocationMinX0, item.RegionLocationMinY0 = first
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = (
        first[0] + size[0] - 1,
        first[1] + size[1] - 1,
    )
    for key, value in more.items():
        setattr(item, key, value)
    return item


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ([region()], (0.2, 0.3)),
        ([region(-0.03, -0.02)], (0.2, 0.3)),
        ([region(units=4), region()], (0.2, 0.3)),
        ([region(size=(5, 5)), region(), region(0.030001, 0.02)], (0.2, 0.3)),
        ([region(RegionSpatialFormat=1)], (0.2, 0.3)),
        ([region(), region(9, 9, RegionSpatialFormat=2)], (0.2, 0.3)),
        ([region(9, 9, RegionSpatialFormat=5)], None),
        ([region(), region(RegionLocationMaxX1=None)], (0.2, 0.3)),
        ([region(), region(9, 9, units=None)], (0.2, 0.3)),
        ([region(), region(PhysicalDeltaX=None)], (0.2, 0.3)),
        ([region(0.03, 0.0)], None),
        ([region(units=4)], None),
        ([region(size=(0, 0), first=(4, 4))], None),
        ([region(PhysicalUnitsYDirection=4)], None),
        ([region(math.nan, 0.02)], None),
        ([Dataset()], None),
        ([], None),
    ],
    ids=[
        "in cm",
        "upside down",
        "a Doppler region beside it",
        "several of one scale",
        "a picture",
        "a trace beside it",
        "graphics alone",
        "a second one without an end",
        "a second one without units",
        "a second one without a step",
        "no step",
        "in seconds",
        "no area",
        "seconds along one axis",
        "not a number",
        "empty region",
        "no region",
    ],
)
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
def test_spacing_is_that_of_the_regions_in_cm(save_dicom, volume, regions, expected, syntax):
    path = save_dicom("a.dcm", volume, syntax, SequenceOfUltrasoundRegions=regions)

    sweep = read_sweep(path)

    assert sweep.spacing_mm == (expected and pytest.approx(expected, rel=1e-3))
    assert not sweep.spacing_note


LEFT, RIGHT = {"size": (16, 24), "first": (0, 0)}, {"size": (16, 24), "first": (16, 0)}


def lit(*boxes) -> np.ndarray:
    """(7, 24, 32) frames that are bright in some columns only."""
    frames = np.zeros((7, 24, 32), np.uint8)
    for start, stop in boxes:
        frames[:, 2:22, start:stop] = 90
    return frames


@pytest.mark.parametrize(
    ("frames", "regions", "expected"),
    [
        (lit((1, 15), (17, 31)), [region(**LEFT), region(0.1, 0.1, **RIGHT)], None),
        (lit((1, 31)), [region(**LEFT), region(0.1, 0.1, **RIGHT)], None),
        (lit((1, 15)), [region(**LEFT), region(0.1, 0.1, **RIGHT)], (0.2, 0.3)),
        (lit((17, 31)), [region(**LEFT), region(0.1, 0.1, **RIGHT)], (1.0, 1.0)),
        (lit((1, 15)), [region(**LEFT), region(0.1, 0.1, RegionLocationMaxX1=None)], None),
        (lit((17, 31)), [region(**LEFT), region(units=0, RegionSpatialFormat=1, **RIGHT)], None),
        (
            lit((1, 31)),
            [region(**LEFT), region(PhysicalDeltaX=None, RegionSpatialFormat=1, **RIGHT)],
            (0.2, 0.3),
        ),
        (lit((1, 31)), [region(size=(32, 24), first=(0, 0)), region(0.1, 0.1, **LEFT)], None),
    ],
    ids=[
        "two fans",
        "one fan over both",
        "the fan left",
        "the fan right",
        "a second one without an end",
        "no scale under the fan",
        "no scale under a part of the fan",
        "one within the other",
    ],
)
def test_of_two_scales_that_of_the_fan_counts_where_it_is_certain(
    save_dicom, frames, regions, expected
):
    path = save_dicom("a.dcm", frames, SequenceOfUltrasoundRegions=regions)

    sweep = read_sweep(path)

    assert sweep.spacing_mm == (expected and pytest.approx(expected))
    assert "region" in sweep.spacing_note
    assert describe(sweep).spacing_note == sweep.spacing_note
    assert sweep.with_bounds(3).spacing_note == sweep.spacing_note


@pytest.mark.parametrize("scaled", [True, False], ids=["of another scale", "without a scale"])
@pytest.mark.parametrize("at", [0, 1, 149, 298])
def test_one_frame_that_lights_the_other_region_is_enough_for_doubt(at, scaled):
    """64 frames are looked at for the fan: of 300, most are not among them."""
    frames = np.concatenate([lit((1, 15))[:1]] * 300)
    frames[at] = lit((17, 31))[0]
    regions = (
        Region((0, 23), (0, 15), (0.2, 0.3)),
        Region((0, 23), (16, 31), (1.0, 1.0) if scaled else None),
    )

    spacing_mm, note = spacing_of(Calibration(regions), Picture(frames))

    assert spacing_mm == (None if scaled else (0.2, 0.3))
    assert "region" in note


def test_a_dark_region_without_a_scale_needs_no_word(save_dicom):
    regions = [region(**LEFT), region(units=0, RegionSpatialFormat=1, **RIGHT)]

    sweep = read_sweep(save_dicom("a.dcm", lit((1, 15)), SequenceOfUltrasoundRegions=regions))

    assert (sweep.spacing_mm, sweep.spacing_note) == (pytest.approx((0.2, 0.3)), "")


HELD = lit((1, 15))
SPREAD = lit((1, 31))
PLACEHOLDERS = {
    "one region": lambda cm: (HELD, {"SequenceOfUltrasoundRegions": [region(cm, cm)]}),
    "turned upside down": lambda cm: (HELD, {"SequenceOfUltrasoundRegions": [region(-cm, -cm)]}),
    "beside another scale": lambda cm: (
        HELD,
        {"SequenceOfUltrasoundRegions": [region(cm, cm, **LEFT), region(**RIGHT)]},
    ),
    "beside a dark region without a scale": lambda cm: (
        HELD,
        {
            "SequenceOfUltrasoundRegions": [
                region(cm, cm, **LEFT),
                region(units=0, RegionSpatialFormat=1, **RIGHT),
            ]
        },
    ),
    "beside a lit region without a scale": lambda cm: (
        SPREAD,
        {
            "SequenceOfUltrasoundRegions": [
                region(cm, cm, **LEFT),
                region(PhysicalDeltaX=None, RegionSpatialFormat=1, **RIGHT),
            ]
        },
    ),
    "PixelSpacing": lambda cm: (HELD, {"PixelSpacing": [10 * cm, 10 * cm]}),
    "functional groups": lambda cm: (
        HELD,
        {"SharedFunctionalGroupsSequence": groups([10 * cm, 10 * cm])},
    ),
}


@pytest.mark.parametrize(("cm", "said"), [(0.1, "1 mm is what"), (1.0, "10 mm is what")])
@pytest.mark.parametrize("written", PLACEHOLDERS.values(), ids=PLACEHOLDERS.keys())
def test_a_placeholder_is_named_wherever_it_stands(save_dicom, written, cm, said):
    frames, given = written(cm)

    sweep = read_sweep(save_dicom("a.dcm", frames, **given))

    assert sweep.spacing_mm == pytest.approx((10 * cm, 10 * cm))
    assert any(part.startswith(said) for part in sweep.spacing_note.split("; "))
    assert sweep.spacing_note.endswith("compare with a scale")


def test_decimal_commas_hide_no_placeholder():
    told = Calibration(spacings=((1.0, 1.0),), comma=True)

    _, note = spacing_of(told, Picture(HELD))

    assert "decimal commas" in note
    assert "1 mm is what" in note


@given(st.permutations([(0.1, 0.1), (0.2, 0.2), (0.1, 0.1), (0.4, 0.1)]))
@settings(max_examples=20, deadline=None)
def test_the_order_of_regions_tells_nothing(order):
    regions = tuple(Region((0, 23), (8 * n, 8 * n + 7), scale) for n, scale in enumerate(order))
    frames = lit((1, 31))

    assert spacing_of(Calibration(regions), Picture(frames))[0] is None


def groups(*spacings) -> list[Dataset]:
    """Functional groups, one for each spacing; without one where it is None."""
    items = []
    for spacing in spacings:
        item, measures = Dataset(), Dataset()
        measures.SliceThickness = 1
        if spacing is not None:
            measures.PixelSpacing = spacing
        item.PixelMeasuresSequence = [measures]
        items.append(item)
    return items


@pytest.mark.parametrize(
    ("given", "expected", "said"),
    [
        ({"PixelSpacing": [0.4, 0.5]}, (0.4, 0.5), ""),
        ({"SharedFunctionalGroupsSequence": groups([0.3, 0.2])}, (0.3, 0.2), ""),
        ({"PerFrameFunctionalGroupsSequence": groups(*[[0.3, 0.2]] * 7)}, (0.3, 0.2), ""),
        (
            {"PerFrameFunctionalGroupsSequence": groups(*[[0.3, 0.2]] * 6, [0.3, 0.3])},
            None,
            "2 different",
        ),
        (
            {
                "PixelSpacing": [0.3, 0.2],
                "SharedFunctionalGroupsSequence": groups(None),
                "PerFrameFunctionalGroupsSequence": groups(*[[0.3, 0.2]] * 7),
            },
            (0.3, 0.2),
            "",
        ),
        (
            {"PixelSpacing": [1, 2], "SharedFunctionalGroupsSequence": groups([0.3, 0.2])},
            None,
            "2 different",
        ),
        ({"PixelSpacing": [1, 1]}, (1, 1), "1 mm"),
        ({"PixelSpacing": [0, 0]}, None, ""),
        ({"PixelSpacing": None}, None, ""),
    ],
    ids=[
        "PixelSpacing",
        "shared",
        "of every frame",
        "frames differ",
        "all say the same",
        "two say other things",
        "placeholder",
        "zero",
        "empty",
    ],
)
def test_pixel_spacing_serves_where_no_region_does(save_dicom, volume, given, expected, said):
    given = {**given, "SequenceOfUltrasoundRegions": [region(units=4)]}

    sweep = read_sweep(save_dicom("a.dcm", volume, **given))

    assert sweep.spacing_mm == expected
    assert (said in sweep.spacing_note) if said else not sweep.spacing_note


def test_a_folder_says_why_its_spacing_is_not_known(save_dicom, tmp_path):
    frames = lit((1, 15), (17, 31))
    regions = [region(**LEFT), region(0.1, 0.1, **RIGHT)]
    for number in range(2):
        save_dicom(f"case/{number}", frames, SequenceOfUltrasoundRegions=regions)

    sweep = read_sweep(tmp_path / "case")

    assert sweep.spacing_mm is None
    assert "different scale" in sweep.spacing_note


def test_a_folder_of_two_scales_is_refused_though_every_file_is_certain(save_dicom, tmp_path):
    save_dicom("case/a", lit((1, 15)), SequenceOfUltrasoundRegions=[region(**LEFT)])
    save_dicom("case/b", lit((1, 15)), SequenceOfUltrasoundRegions=[region(0.1, 0.1, **LEFT)])

    with pytest.raises(SweepError, match="one spacing, found 2"):
        read_sweep(tmp_path / "case")


ELSEWHERE = {
    "of a picture twice the size": region(size=(64, 48)),
    "of a picture that was cut": region(first=(100, 80)),
    "a little beyond": region(size=(34, 24)),
    "in a dark corner": region(size=(4, 4)),
    "of a picture half the size": region(size=(16, 12)),
    "beside the fan": region(size=(14, 24), first=(18, 0)),
}


@pytest.mark.parametrize("elsewhere", ELSEWHERE.values(), ids=ELSEWHERE.keys())
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian])
def test_a_region_that_is_not_where_the_picture_is_gives_no_scale(save_dicom, elsewhere, syntax):
    frames = lit((5, 17))
    path = save_dicom("a.dcm", frames, syntax, SequenceOfUltrasoundRegions=[elsewhere])

    sweep = read_sweep(path)

    assert sweep.spacing_mm is None
    assert "region" in sweep.spacing_note


AROUND = {
    "the whole frame": region(),
    "counted from 1": region(first=(1, 1)),
    "close around it": region(size=(12, 20), first=(5, 2)),
    "a fan beyond its edge": region(size=(11, 20), first=(5, 2)),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize("captioned", [False, True])
def test_a_region_around_the_picture_gives_its_scale(save_dicom, around, captioned):
    frames = lit((5, 17))
    if captioned:
        frames[:, 2:22, 20:24] = 200
        frames[:, ::2, 28:32] = 200
    path = save_dicom("a.dcm", frames, SequenceOfUltrasoundRegions=[around])

    sweep = read_sweep(path)

    assert (sweep.spacing_mm, sweep.spacing_note) == (pytest.approx((0.2, 0.3)), "")


def test_black_frames_say_nothing_of_where_the_picture_is(save_dicom):
    regions = [region(size=(4, 4))]

    sweep = read_sweep(save_dicom("a.dcm", lit(), SequenceOfUltrasoundRegions=regions))

    assert sweep.spacing_mm == pytest.approx((0.2, 0.3))


ABSURD = {
    "a region of light years": {"SequenceOfUltrasoundRegions": [region(1e20, 1e20)]},
    "a region of atoms": {"SequenceOfUltrasoundRegions": [region(1e-9, 1e-9)]},
    "rows of light years": {"SequenceOfUltrasoundRegions": [region(0.03, 1e20)]},
    "a region smaller than a grain": {"SequenceOfUltrasoundRegions": [region(1e-4, 1e-4)]},
    "PixelSpacing of light years": {"PixelSpacing": ["1e20", "1e20"]},
}


@pytest.mark.parametrize("given", ABSURD.values(), ids=ABSURD.keys())
def test_a_scale_that_no_scanner_has_is_not_believed(save_dicom, volume, given):
    sweep = read_sweep(save_dicom("a.dcm", volume, **given))

    assert (sweep.spacing_mm, sweep.spacing_note) == (
        None,
        "the header gives a scale that no scanner has",
    )


def test_a_sound_spacing_beside_an_absurd_region_is_used(save_dicom, volume):
    given = {"SequenceOfUltrasoundRegions": [region(1e20, 1e20)], "PixelSpacing": [0.4, 0.5]}

    assert read_sweep(save_dicom("a.dcm", volume, **given)).spacing_mm == (0.4, 0.5)
