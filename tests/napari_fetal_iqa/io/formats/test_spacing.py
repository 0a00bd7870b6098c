"""Which spacing is believed, and what is said of it."""

import numpy as np
import pytest
import SimpleITK

from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.formats.spacing import PLACEHOLDER_NOTE, Spacing, believed

REAL, OTHER, ONES = (0.2, 0.3), (0.4, 0.3), (1.0, 1.0)

CASES = {
    "stated alone": (REAL, Spacing(), REAL, ""),
    "a placeholder alone": (ONES, Spacing(), ONES, PLACEHOLDER_NOTE),
    "two placeholders": (ONES, Spacing(ONES), ONES, PLACEHOLDER_NOTE),
    "a placeholder beside a real one": (ONES, Spacing(OTHER), OTHER, "that of B, as A is"),
    "a real one beside a placeholder": (REAL, Spacing(ONES), REAL, ""),
    "two that agree": (REAL, Spacing((0.2001, 0.2999)), REAL, ""),
    "two that contradict": (REAL, Spacing(OTHER), None, "not known: A and B contradict"),
    "a placeholder beside a fault": (ONES, Spacing(None, "B differs"), None, "and B differs"),
    "a real one beside a fault": (REAL, Spacing(None, "B differs"), REAL, ""),
    "nothing beside a real one": (None, Spacing(OTHER), OTHER, "that of B, as there is no A"),
    "nothing": (None, Spacing(), None, ""),
    "light years": ((1e20, 1e20), Spacing(), None, "size of no pixel"),
    "a real one and an absurd one": ((0.3, 1e-30), Spacing(), None, "size of no pixel"),
}


@pytest.mark.parametrize(("stated", "other", "mm", "note"), CASES.values(), ids=CASES.keys())
def test_the_better_source_is_believed(stated, other, mm, note):
    found = believed(stated, other, "A", "B")

    assert found.mm == mm
    assert (note in found.note) if note else not found.note


@pytest.mark.parametrize(("unit_mm", "said"), [(10.0, "10 mm"), (0.001, "0.001 mm")])
def test_a_placeholder_in_another_unit_is_told_with_its_true_length(unit_mm, said):
    found = believed(ONES, Spacing(), "A", "B", unit_mm)

    assert found.mm == (unit_mm, unit_mm)
    assert found.note.startswith(f"spacing {said} is 1 of the file's own unit, a placeholder")


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".nrrd", ".nii", ".nii.gz"])
def test_one_millimetre_is_used_with_a_notice_in_every_format(tmp_path, volume, ending):
    path = tmp_path / f"a{ending}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(volume), str(path))

    sweep = read_sweep(path)

    assert sweep.spacing_mm == ONES
    assert sweep.spacing_note == sweep.with_bounds(3).spacing_note == PLACEHOLDER_NOTE


@pytest.mark.parametrize("ending", [".mha", ".nrrd", ".nii.gz"])
def test_a_spacing_that_is_written_is_read_without_a_notice(tmp_path, volume, ending):
    sweep = read_sweep(write_volume(tmp_path / f"a{ending}", volume, REAL))

    assert sweep.spacing_mm == pytest.approx(REAL)
    assert sweep.spacing_note == ""


@pytest.mark.parametrize(
    ("extra", "mm"),
    [
        ("ElementSize = 0.3 0.2 1\n", (0.2, 0.3)),
        ("ElementSize = 1 1 1\n", ONES),
        ("", ONES),
    ],
)
def test_the_size_of_an_element_is_better_than_a_placeholder(tmp_path, volume, extra, mm):
    header = (
        f"NDims = 3\nDimSize = 32 24 7\nElementSpacing = 1 1 1\n{extra}ElementType = MET_UCHAR\n"
        "ElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.mha").write_bytes(header.encode() + volume.tobytes())

    sweep = read_sweep(tmp_path / "a.mha")

    assert sweep.spacing_mm == mm
    assert sweep.spacing_note


@pytest.mark.parametrize(("unit", "mm"), [("mm", 1), ("cm", 10), ("um", 0.001), ("?", 1)])
def test_metaimage_may_say_its_unit(tmp_path, volume, unit, mm):
    header = (
        f"NDims = 3\nDimSize = 32 24 7\nElementSpacing = 0.3 0.2 1\nDistanceUnits = {unit}\n"
        "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.mha").write_bytes(header.encode() + volume.tobytes())

    assert read_sweep(tmp_path / "a.mha").spacing_mm == pytest.approx((0.2 * mm, 0.3 * mm))


def test_the_identity_does_not_hang_on_the_notice(tmp_path, volume):
    with_notice = read_sweep(write_volume(tmp_path / "a.mha", volume, ONES))
    without = read_sweep(write_volume(tmp_path / "b.mha", volume, REAL))

    assert np.array_equal(with_notice.frames, without.frames)
    assert with_notice.identity == without.identity
