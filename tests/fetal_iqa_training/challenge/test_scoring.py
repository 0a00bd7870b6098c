import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.ndimage
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import directed_hausdorff

from fetal_iqa_training.challenge import CaseTruth, score_case
from fetal_iqa_training.challenge.metrics import (
    frame_selection_score,
    hausdorff_px,
    normalised_absolute_error,
)
from fetal_iqa_training.challenge.organisers import organisers_circumference_px
from fetal_iqa_training.challenge.rules import WORST_HAUSDORFF_PX
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.ellipse import Ellipse
from napari_fetal_iqa.geometry.overlap import dice

SHAPE = (48, 64)
SPACING_MM = (2.0, 2.0)
BOUNDS = ((0, 40), (40, 80))
VIEW = np.zeros(SHAPE, bool)
VIEW[2:46, 2:62] = True


def ellipse(row=24.0, column=30.0, a=11.0, b=8.0):
    return Ellipse((row, column), (a, b), 0).mask(SHAPE, (1, 1))


ABDOMEN = ellipse()
AC_MM = measure_abdomen(ABDOMEN, SPACING_MM, VIEW).circumference_mm
ORGANISERS_AC_MM = organisers_circumference_px(ABDOMEN, VIEW) * SPACING_MM[0]


def ac_of(rules):
    return ORGANISERS_AC_MM if rules == "literal" else AC_MM


def truth(planes, ac_mm=(AC_MM, AC_MM), mask=ABDOMEN, rules=None):
    """A case of two sweeps of 40 frames, annotated where ``planes`` says: {frame: label}."""
    if rules is not None:
        ac_mm = (ac_of(rules),) * 2
    masks = np.zeros((80, *SHAPE), np.uint8)
    for frame, plane in planes.items():
        masks[frame][mask] = plane
    return CaseTruth(masks, ac_mm, SPACING_MM, BOUNDS, VIEW)


# The single measures, by hand


@pytest.mark.parametrize(
    ("true_mm", "found_mm", "error"),
    [
        (200.0, 150.0, 0.25),
        (150.0, 200.0, 0.25),
        (200.0, 200.0, 0.0),
        (0.0, 0.0, 0.0),
        (None, 200.0, 1.0),
        (200.0, None, 1.0),
        (None, None, 1.0),
        (math.nan, 200.0, 1.0),
        (200.0, math.nan, 1.0),
    ],
)
def test_error_is_a_share_of_the_larger_circumference_and_1_where_one_is_missing(
    true_mm, found_mm, error
):
    assert normalised_absolute_error(true_mm, found_mm) == pytest.approx(error)


@pytest.mark.parametrize(
    ("plane", "case_has_optimal", "score"),
    [(1, True, 1.0), (2, True, 0.6), (2, False, 1.0), (0, True, 0.0), (0, False, 0.0)],
)
def test_a_suboptimal_frame_earns_all_only_where_there_is_no_optimal(
    plane, case_has_optimal, score
):
    assert frame_selection_score(plane, case_has_optimal=case_has_optimal) == score


masks_2d = arrays(bool, (9, 12))


@given(masks_2d, masks_2d)
def test_dice_and_hausdorff_are_those_of_scipy_and_itk(one, other):
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    images = [SimpleITK.GetImageFromArray(mask.astype(np.uint8)) for mask in (one, other)]
    overlap.Execute(*images)
    assert dice(one, other, of_nothing=math.inf) == pytest.approx(overlap.GetDiceCoefficient())
    if not (one.any() and other.any()):
        with pytest.raises(ValueError, match="empty"):
            hausdorff_px(one, other)
        return
    points = np.argwhere(one), np.argwhere(other)
    expected = max(directed_hausdorff(*points)[0], directed_hausdorff(*points[::-1])[0])
    assert hausdorff_px(one, other) == pytest.approx(expected)
    distance = SimpleITK.HausdorffDistanceImageFilter()
    distance.Execute(*images)
    assert hausdorff_px(one, other) == pytest.approx(distance.GetHausdorffDistance(), rel=1e-5)


def test_dice_and_hausdorff_of_two_squares_by_hand():
    one, other = np.zeros((2, 10, 10), bool)
    one[2:6, 2:6] = True
    other[2:6, 4:8] = True
    assert dice(one, other, of_nothing=math.inf) == 2 * 8 / 32
    assert hausdorff_px(one, other) == 2


# A case, branch by branch


def test_the_literal_circumference_needs_square_pixels_and_is_that_of_the_organisers():
    case = truth({20: 1})
    assert score_case(case, 20, ABDOMEN, "literal").ac_mm == pytest.approx(ORGANISERS_AC_MM)
    assert ORGANISERS_AC_MM < AC_MM
    oblong = CaseTruth(case.masks, case.ac_mm, (2.0, 1.0), BOUNDS, VIEW)
    assert score_case(oblong, 20, ABDOMEN, "corrected").ac_mm > 0
    with pytest.raises(ValueError, match="square pixels, found 2 x 1 mm"):
        score_case(oblong, 20, ABDOMEN, "literal")


@pytest.mark.parametrize("rules", ["corrected", "literal"])
def test_the_true_mask_on_an_optimal_frame_scores_1(rules):
    scored = score_case(truth({20: 1, 21: 2}, rules=rules), 20, ABDOMEN, rules)
    assert (scored.nae, scored.wfss, scored.dsc_soft, scored.hausdorff_px) == (0, 1, 1, 0)
    assert scored.score == 1
    assert scored.compared_frame == 20


@pytest.mark.parametrize("rules", ["corrected", "literal"])
def test_a_suboptimal_frame_beside_an_optimal_one_loses_a_tenth(rules):
    with_optimal, without = (truth({20: plane, 50: 2}, rules=rules) for plane in (1, 2))
    assert score_case(with_optimal, 50, ABDOMEN, rules).score == pytest.approx(0.9)
    assert score_case(without, 50, ABDOMEN, rules).score == 1


@pytest.mark.parametrize("rules", ["corrected", "literal"])
def test_a_sweep_without_a_circumference_loses_half(rules):
    scored = score_case(truth({20: 1}, ac_mm=(None, AC_MM)), 20, ABDOMEN, rules)
    assert (scored.nae, scored.true_ac_mm, scored.score) == (1, None, 0.5)


@pytest.mark.parametrize("rules", ["corrected", "literal"])
def test_the_circumference_of_the_sweep_with_the_frame_counts(rules):
    ac_mm = ac_of(rules)
    scored = score_case(truth({50: 1}, ac_mm=(ac_mm, 2 * ac_mm)), 50, ABDOMEN, rules)
    assert scored.ac_mm == pytest.approx(ac_mm)
    assert scored.nae == pytest.approx(0.5)
    assert scored.score == pytest.approx(0.75)


@pytest.mark.parametrize("rules", ["corrected", "literal"])
def test_an_empty_mask_on_an_annotated_frame_keeps_the_choice_alone(rules):
    scored = score_case(truth({20: 1}), 20, np.zeros(SHAPE), rules)
    assert (scored.nae, scored.wfss, scored.dsc_soft) == (1, 1, 0)
    assert scored.score == 0.25
    assert scored.hausdorff_px == WORST_HAUSDORFF_PX == 744 * 15


@pytest.mark.parametrize("rules", ["corrected", "literal"])
def test_off_the_frame_dice_shrinks_with_the_distance(rules):
    scored = score_case(truth({20: 1}, rules=rules), 17, ABDOMEN, rules)
    assert scored.compared_frame == 20
    assert scored.dsc_soft == pytest.approx(1 - 3 / 15)
    assert (scored.nae, scored.wfss, scored.hausdorff_px) == (0, 0, 0)
    assert scored.score == pytest.approx(0.5 + 0.25 * 0.8)


@pytest.mark.parametrize("rules", ["corrected", "literal"])
@pytest.mark.parametrize(
    ("annotated", "chosen", "dsc_soft", "hausdorff_px"),
    [
        (20, 5, 0.0, 0.0),  # 15 frames away: compared, but worth nothing
        (20, 35, 0.0, 0.0),
        (20, 4, 0.0, WORST_HAUSDORFF_PX),  # 16 frames away
        (20, 36, 0.0, WORST_HAUSDORFF_PX),
        (39, 40, 0.0, WORST_HAUSDORFF_PX),  # the next frame, but of another sweep
        (40, 39, 0.0, WORST_HAUSDORFF_PX),
        (20, 79, 0.0, WORST_HAUSDORFF_PX),
    ],
)
def test_annotated_frames_out_of_reach_earn_nothing(
    rules, annotated, chosen, dsc_soft, hausdorff_px
):
    scored = score_case(truth({annotated: 1}), chosen, ABDOMEN, rules)
    assert (scored.dsc_soft, scored.hausdorff_px) == (dsc_soft, hausdorff_px)
    assert scored.compared_frame == (annotated if hausdorff_px == 0 else -1)


def test_masks_count_inside_the_field_of_view_only():
    beyond = ABDOMEN | ~VIEW
    scored = score_case(truth({20: 1}), 20, beyond)
    assert (scored.dsc_soft, scored.hausdorff_px) == (1, 0)
    assert scored.ac_mm == pytest.approx(AC_MM)


def test_an_outline_on_the_edge_of_the_view_is_no_outline():
    known, view = truth({20: 1}), VIEW.copy()
    view[28:] = False  # just below the middle of the abdomen
    scored = score_case(CaseTruth(known.masks, known.ac_mm, SPACING_MM, BOUNDS, view), 20, ABDOMEN)
    with_the_edge = measure_abdomen(ABDOMEN & view, SPACING_MM)
    assert scored.ac_mm == pytest.approx(AC_MM, rel=0.03)
    assert with_the_edge.circumference_mm < 0.95 * AC_MM


def test_without_a_spacing_nothing_is_measured():
    known = truth({20: 1})
    without = CaseTruth(known.masks, known.ac_mm, None, BOUNDS, VIEW)
    assert score_case(without, 20, ABDOMEN).ac_mm is None
    assert score_case(without, 20, ABDOMEN).score == 0.5


# The quirks of the challenge's own evaluation, beside what was meant


@pytest.mark.parametrize("frame", [20, 22])
def test_an_annotation_that_is_an_outline_is_filled_unless_literally(frame):
    """Oracle: the same case annotated by the whole abdomen."""
    ring = ABDOMEN & ~scipy.ndimage.binary_erosion(ABDOMEN, iterations=2)
    whole, outlined = truth({20: 2}), truth({20: 2}, mask=ring)
    expected, found = (score_case(case, frame, ABDOMEN) for case in (whole, outlined))
    assert replace(found, hollow=False) == expected
    assert (expected.hollow, found.hollow) == (False, True)
    literal = score_case(outlined, frame, ABDOMEN, "literal")
    of_ring = 2 * ring.sum() / (ring.sum() + ABDOMEN.sum())
    assert literal.dsc_soft == pytest.approx(of_ring * (1 - (frame - 20) / 15), abs=0.01)
    assert literal.hollow


def test_the_frame_compared_with_is_the_previous_one_or_the_nearest():
    case = truth({10: 1, 15: 1, 23: 1, 25: 1})
    literal, corrected = (score_case(case, 22, ABDOMEN, r) for r in ("literal", "corrected"))
    assert (literal.compared_frame, corrected.compared_frame) == (15, 23)
    assert literal.dsc_soft == pytest.approx(1 - 7 / 15)
    assert corrected.dsc_soft == pytest.approx(1 - 1 / 15)


def test_of_two_equally_near_frames_the_earlier_one_counts():
    assert score_case(truth({20: 1, 24: 1}), 22, ABDOMEN).compared_frame == 20


def test_the_distance_to_a_previous_frame_is_negative_or_absolute():
    case = truth({20: 1})
    moved = ellipse(column=34.0)
    literal, corrected = (score_case(case, 22, moved, r) for r in ("literal", "corrected"))
    assert hausdorff_px(ABDOMEN, moved) == 4
    assert (literal.hausdorff_px, corrected.hausdorff_px) == (-8, 8)
    assert literal.dsc_soft == corrected.dsc_soft


def test_off_the_frame_annotation_beyond_the_field_of_view_counts_in_the_literal_rules_only():
    beyond = ~VIEW & (np.arange(SHAPE[1]) < 8)  # encloses nothing
    case = truth({20: 1}, mask=ABDOMEN | beyond)
    literal, corrected = (score_case(case, 21, ABDOMEN, r) for r in ("literal", "corrected"))
    assert literal.dsc_soft < corrected.dsc_soft == pytest.approx(14 / 15)
    nowhere = truth({20: 1}, mask=beyond)
    assert score_case(nowhere, 21, ABDOMEN).compared_frame == -1


def test_an_empty_pair_is_infinite_or_counts_0_where_something_was_missed():
    case, empty = truth({20: 1}), np.zeros(SHAPE)
    literal, corrected = (score_case(case, 30, empty, r) for r in ("literal", "corrected"))
    assert literal.dsc_soft == literal.score == math.inf
    assert (corrected.dsc_soft, corrected.score) == (0, 0)
    assert literal.hausdorff_px == corrected.hausdorff_px == WORST_HAUSDORFF_PX


def test_no_frame_is_right_where_nothing_is_annotated():
    scored = score_case(truth({}, ac_mm=(None, None)), -1)
    assert (scored.dsc_soft, scored.wfss, scored.nae, scored.score) == (1, 0, 1, 0.25)


def test_no_frame_is_the_last_frame_or_none():
    case = truth({79: 1})
    literal, corrected = (score_case(case, -1, ABDOMEN, r) for r in ("literal", "corrected"))
    assert literal.dsc_soft == corrected.dsc_soft == 0  # the mask is not looked at
    assert literal.wfss == corrected.wfss == 0
    elsewhere = truth({20: 1})
    assert score_case(elsewhere, -1, None, "literal").score == math.inf
    assert score_case(elsewhere, -1, None, "corrected").score == 0


@pytest.mark.parametrize(("frame", "mask"), [(80, ABDOMEN), (-2, ABDOMEN), (3, ABDOMEN[1:])])
def test_what_is_not_of_this_case_is_refused(frame, mask):
    with pytest.raises(ValueError, match="expected a"):
        score_case(truth({}), frame, mask)


def test_a_truth_that_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="1 circumferences of 2 sweeps"):
        truth({}, ac_mm=(AC_MM,))
    with pytest.raises(ValueError, match="differ"):
        CaseTruth(np.zeros((80, 5, 5), np.uint8), (None, None), None, BOUNDS, VIEW)


def test_masks_may_be_lazy(tmp_path):
    known = truth({20: 1})
    np.save(tmp_path / "masks.npy", known.masks)
    mapped = np.load(tmp_path / "masks.npy", mmap_mode="r")
    case = CaseTruth(mapped, known.ac_mm, SPACING_MM, BOUNDS, VIEW)
    assert score_case(case, 20, ABDOMEN).score == 1


# What holds for any input

planes_of_frames = st.dictionaries(st.integers(0, 79), st.sampled_from([1, 2]), max_size=6)
circumferences = st.none() | st.floats(0, 1e4) | st.just(math.nan)
half_axes = st.floats(4, 14)


@settings(max_examples=60, deadline=None)
@given(
    planes=planes_of_frames,
    ac_mm=st.tuples(circumferences, circumferences),
    frame=st.integers(-1, 79),
    mask=arrays(bool, SHAPE) | st.builds(ellipse, a=half_axes, b=half_axes),
    spacing_mm=st.none() | st.just(SPACING_MM),
)
def test_the_corrected_score_lies_in_0_to_1_for_any_input(planes, ac_mm, frame, mask, spacing_mm):
    known = truth(planes, ac_mm)
    case = CaseTruth(known.masks, ac_mm, spacing_mm, BOUNDS, VIEW)
    scored = score_case(case, frame, mask)
    for part in (scored.nae, scored.wfss, scored.dsc_soft, scored.score):
        assert 0 <= part <= 1
    assert 0 <= scored.hausdorff_px < math.inf


@settings(max_examples=40, deadline=None)
@given(
    planes=planes_of_frames.filter(bool),
    a=half_axes,
    b=half_axes,
    rules=st.sampled_from(["corrected", "literal"]),
    order=st.permutations(range(80)),
)
def test_a_perfect_prediction_scores_1_and_another_order_of_frames_never_helps(
    planes, a, b, rules, order
):
    abdomen = ellipse(a=a, b=b)
    if rules == "literal":
        ac_mm = (organisers_circumference_px(abdomen, VIEW) * SPACING_MM[0],) * 2
    else:
        ac_mm = (measure_abdomen(abdomen, SPACING_MM, VIEW).circumference_mm,) * 2
    case = truth(planes, ac_mm, abdomen)
    best = min(planes, key=lambda frame: planes[frame])
    assert score_case(case, best, abdomen, rules).score == pytest.approx(1)
    moved = order[best]
    score = score_case(case, moved, abdomen, rules).score
    assert score <= 1 + 1e-9
    if moved not in planes:
        assert score <= 0.75  # the choice earns nothing
