import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter1d

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import (
    Estimate,
    estimated_mean,
    estimated_percentile,
    resampled_cases,
)
from fetal_iqa_training.experiments.sweeps.case import SweepCase, Thresholds
from fetal_iqa_training.experiments.sweeps.orders import (
    found_within,
    good_after,
    sets_of_sweeps,
    sweeps_done,
)
from fetal_iqa_training.experiments.sweeps.plot import draw_smoothing, draw_success
from fetal_iqa_training.experiments.sweeps.study import WIDTHS, study_sweeps
from napari_fetal_iqa.analysis.best_frame import SMOOTHING_FRAMES, best_frame

NAN = np.nan


pytestmark = [
    pytest.mark.filterwarnings("error"),
    # napari's own, where one of these is the first test of a process and imports it
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),
]


def choose(score, positive, bounds, smoothing_frames):
    """The rule in use, with any smoothing."""
    start, stop = max(bounds, key=lambda bound: int(positive[slice(*bound)].sum()))
    if not positive[start:stop].any():
        return -1
    smooth = np.nan_to_num(score[start:stop].astype(float))
    if smoothing_frames:
        smooth = gaussian_filter1d(smooth, smoothing_frames, mode="constant")
    return start + int(np.argmax(np.where(positive[start:stop], smooth, -np.inf)))


def sweep_case(sweeps, reference=None, ac=(), name="case", **more):
    """A case of sweeps, each a list of (quality, label)."""
    quality, labels = np.array([frame for frames in sweeps for frame in frames]).T
    of_sweep = np.repeat(np.arange(len(sweeps)), [len(frames) for frames in sweeps])
    ac_mm = np.full(len(labels), NAN)
    ac_mm[: len(ac)] = ac
    reference = [NAN] * len(sweeps) if reference is None else reference
    parts = {
        "quality": quality.astype(np.float32),
        "area_fraction": None,
        "ac_mm": ac_mm,
        "labels": labels.astype(int),
        "sweep": of_sweep,
        "reference_ac_mm": np.array(reference, float),
    }
    return SweepCase(name, **(parts | more))


def random_case(seed, n_sweeps=4, per_sweep=6):
    """Scores that know something of the truth; some circumferences and references are missing."""
    random = np.random.default_rng(seed)
    n = n_sweeps * per_sweep
    labels = random.choice([0, 1, 2], n, p=[0.8, 0.1, 0.1])
    labels[: random.integers(0, n)] = 0
    ac_mm = random.normal(230, 10, n)
    reference = random.normal(230, 5, n_sweeps)
    ac_mm[random.random(n) < 0.2] = NAN
    reference[random.random(n_sweeps) < 0.3] = NAN
    return SweepCase(
        f"case {seed}",
        quality=np.clip(random.normal(0.3 + 0.4 * (labels > 0), 0.25), 0, 1),
        area_fraction=np.clip(random.normal(0.01 + 0.03 * (labels > 0), 0.01), 0, 1),
        ac_mm=ac_mm,
        labels=labels,
        sweep=np.repeat(np.arange(n_sweeps), per_sweep),
        reference_ac_mm=reference,
    )


GOOD = [(0.9, 1)]
FAIR = [(0.9, 2)]
WRONG = [(0.9, 0)]
NOTHING = [(0.1, 0)]


# --- orders


@given(st.integers(1, 5).flatmap(lambda n: arrays(np.bool_, 2**n)))
def test_expectations_over_orders_are_those_of_all_orders_one_by_one(good):
    good[0] = False
    n = len(good).bit_length() - 1
    after, ended, lengths = np.zeros(n), np.zeros(n), []
    orders = list(permutations(range(n)))
    for order in orders:
        states = [good[sum(1 << sweep for sweep in order[:k])] for k in range(1, n + 1)]
        first = states.index(True) + 1 if any(states) else None
        after += states
        ended += [first is not None and first <= k for k in range(1, n + 1)]
        lengths.append(first or n)
    usual, any_order = good_after(good)
    within_usual, within = found_within(good)
    assert any_order == pytest.approx(after / len(orders))
    assert within == pytest.approx(ended / len(orders))
    assert sweeps_done(within) == pytest.approx(np.mean(lengths))
    in_order = [good[2**k - 1] for k in range(1, n + 1)]
    assert usual.tolist() == in_order
    assert within_usual.tolist() == [any(in_order[:k]) for k in range(1, n + 1)]


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_the_first_of_k_good_sweeps_comes_at_n_plus_1_over_k_plus_1(pair):
    n, k = pair
    good = np.array([any(sweep < k for sweep in sweeps) for sweeps in sets_of_sweeps(n)])
    assert sweeps_done(found_within(good)[1]) == pytest.approx((n + 1) / (k + 1))


def test_a_search_that_never_ends_well_takes_all_sweeps():
    never = np.zeros(2**6, bool)
    for within in found_within(never):
        assert not within.any()
        assert sweeps_done(within) == 6


@pytest.mark.parametrize("n", [0, 13])
def test_no_sweeps_and_too_many_are_refused(n):
    with pytest.raises(ValueError, match="expected 1 to 12 sweeps"):
        sets_of_sweeps(n)


# --- one case


def test_the_choice_is_that_of_the_rule_in_use():
    for seed in range(20):
        case = random_case(seed)
        positive = (case.quality > 0.5) & (case.area_fraction >= 0.01)
        expected = best_frame(case.quality, positive, case.bounds)
        assert case.choose(choose, Thresholds(), SMOOTHING_FRAMES) == expected


def test_bounds_follow_the_sweeps_and_one_without_frames_is_never_chosen():
    case = sweep_case([NOTHING * 3, GOOD * 2], reference=[NAN] * 3)
    case = replace(case, sweep=np.array([0, 0, 0, 2, 2]))
    assert case.bounds == ((0, 3), (3, 3), (3, 5))
    assert case.choose(choose, Thresholds(), 0) == 3
    assert case.choose(choose, Thresholds(), 0, sweeps=[1]) == -1


def test_every_model_there_is_must_find_the_abdomen_and_nan_finds_nothing():
    case = sweep_case([[(0.6, 0), (0.5, 0), (NAN, 0), (0.9, 0)]])
    assert case.positive(Thresholds()).tolist() == [True, False, False, True]
    area = np.array([0.01, 0.5, 0.5, 0.0099], np.float32)
    both = replace(case, area_fraction=area)
    assert both.positive(Thresholds()).tolist() == [True, False, False, False]
    alone = replace(case, quality=None, area_fraction=area)
    assert alone.positive(Thresholds()).tolist() == [True, True, True, False]
    assert alone.score.tolist() == area.tolist()
    assert case.score[[0, 3]].tolist() == np.array([0.6, 0.9], np.float32).tolist()


def test_distance_and_error_are_those_of_the_same_sweep():
    case = sweep_case(
        [NOTHING * 4 + GOOD, NOTHING * 3], reference=[200.0, NAN], ac=[210.0, NAN, 190, 200, 200]
    )
    assert [case.frames_off(frame) for frame in (-1, 0, 4, 5)] == [np.inf, 4, 0, np.inf]
    assert (case.ac_error(0).mm, case.ac_error(0).percent) == pytest.approx((10, 5))
    assert case.ac_error(1) is None  # no circumference
    assert case.ac_error(5) is None  # no reference
    assert case.ac_error(-1) is None


def test_parts_that_do_not_belong_together_are_refused():
    case = sweep_case([NOTHING, GOOD])
    with pytest.raises(ValueError, match="case: expected a quality or an area"):
        replace(case, quality=None)
    with pytest.raises(ValueError, match="one of each a frame"):
        replace(case, ac_mm=np.zeros(3))
    for sweep in ([1, 0], [0, 2], [-1, 0]):
        with pytest.raises(ValueError, match="frames in the order of 2 sweeps"):
            replace(case, sweep=np.array(sweep))


# --- the study


def values(estimates):
    return [estimate.value for estimate in estimates]


def test_success_over_sweeps_by_hand():
    # most positive frames win: the second sweep is chosen as soon as it is there
    case = sweep_case([GOOD, WRONG * 3, NOTHING])
    annotated, optimal = study_sweeps([case], choose).success
    assert (annotated.goal, annotated.cases) == ("annotated", 1)
    assert values(annotated.usual) == [1, 0, 0]
    assert values(annotated.any_order) == pytest.approx([1 / 3, 1 / 3, 0])
    assert values(annotated.there_usual) == [1, 1, 1]
    assert values(annotated.there_any_order) == pytest.approx([1 / 3, 2 / 3, 1])
    assert (annotated.found.value, annotated.sweeps_needed.value) == (1, 1)
    # good at once, good after the empty one, or the wrong one came before
    assert annotated.found_any_order.value == pytest.approx(1 / 2)
    assert annotated.sweeps_needed_any_order.value == pytest.approx((2 * 1 + 2 + 3 * 3) / 6)
    assert values(optimal.usual) == values(annotated.usual)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_success_in_any_order_is_that_of_all_orders_one_by_one(seed):
    case = random_case(seed)
    if not (case.labels > 0).any():
        return
    states, first = [], []
    for order in permutations(range(4)):
        frames = [case.choose(choose, Thresholds(), 2, order[:k]) for k in (1, 2, 3, 4)]
        hits = [frame >= 0 and bool(case.labels[frame] > 0) for frame in frames]
        states.append(hits)
        first.append(hits.index(True) + 1 if any(hits) else 4)
    annotated = study_sweeps([case], choose).success[0]
    assert values(annotated.any_order) == pytest.approx(np.mean(states, axis=0))
    assert annotated.sweeps_needed_any_order.value == pytest.approx(np.mean(first))
    assert annotated.found_any_order.value == pytest.approx(np.any(states, axis=1).mean())


def test_each_goal_is_judged_on_the_cases_that_have_such_a_frame():
    cases = [sweep_case([GOOD]), sweep_case([FAIR]), sweep_case([NOTHING])]
    study = study_sweeps(cases, choose)
    assert [(one.goal, one.cases) for one in study.success] == [("annotated", 2), ("optimal", 1)]
    assert [values(one.usual) for one in study.success] == [[1], [1]]
    assert study.smoothing[0].near[0].value == 1
    assert study.smoothing[0].chosen == 2


def test_without_an_optimal_frame_its_metrics_are_none():
    study = study_sweeps([sweep_case([FAIR])], choose)
    optimal = study.success[1]
    assert (optimal.cases, optimal.usual, optimal.sweeps_needed) == (0, (), Estimate(None))
    assert study.smoothing[0].optimal.value is None
    assert {row["goal"] for row in study.success_rows()} == {"annotated"}
    assert json.loads(json.dumps(study.as_json(), allow_nan=False))["success"]["optimal"][
        "found"
    ] == {
        "value": None,
        "interval": None,
    }


def test_a_case_with_fewer_sweeps_is_done_with_its_last():
    cases = [sweep_case([GOOD]), sweep_case([NOTHING, GOOD])]
    annotated = study_sweeps(cases, choose).success[0]
    assert values(annotated.usual) == [0.5, 1]
    assert annotated.sweeps_needed.value == 1.5


def test_smoothing_passes_over_a_flash():
    sweep = [(0.95, 0)] + [(0.1, 0)] * 10 + [(0.8, 2), (0.9, 1), (0.8, 2)]
    ac = [200.0] * 11 + [250.0, 240.0, 250.0]
    study = study_sweeps([sweep_case([sweep], reference=[230.0], ac=ac)], choose)
    none, one = study.smoothing[:2]
    assert (none.near[0].value, none.near[15].value, none.errors["median_mm"].value) == (0, 1, 30)
    assert (one.near[0].value, one.optimal.value, one.errors["median_mm"].value) == (1, 1, 10)
    assert one.errors["p90_percent"].value == pytest.approx(1000 / 230)
    assert (one.hits_changed.value, one.error_changed_mm.value) == (1, -20)
    assert (none.hits_changed.value, none.error_changed_mm.value) == (0, 0)


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_metrics_of_many_cases_are_those_counted_case_by_case(seed):
    cases = [random_case(seed + number) for number in range(7)]
    study = study_sweeps(cases, choose, widths=(0, 2))
    for width, row in zip((0, 2), study.smoothing, strict=True):
        near, errors = {0: [], 2: [], 5: [], 15: []}, []
        for case in cases:
            frame = case.choose(choose, Thresholds(), width)
            annotated = set(np.flatnonzero(case.labels > 0))
            if annotated:
                same = [f for f in annotated if frame >= 0 and f // 6 == frame // 6]
                for reach, hits in near.items():
                    hits.append(any(abs(f - frame) <= reach for f in same))
            if frame >= 0:
                error = abs(case.ac_mm[frame] - case.reference_ac_mm[frame // 6])
                errors += [error] if np.isfinite(error) else []
        assert {k: v.value for k, v in row.near.items()} == pytest.approx(
            {reach: np.mean(hits) for reach, hits in near.items()}
        )
        assert row.measured == len(errors)
        if errors:
            assert row.errors["median_mm"].value == pytest.approx(np.median(errors))
            assert row.errors["p90_mm"].value == pytest.approx(np.percentile(errors, 90))
    for success in study.success:
        for reached, there in (("usual", "there_usual"), ("any_order", "there_any_order")):
            curves = success.curves
            for low, high in zip(curves[reached], curves[there], strict=True):
                assert low.value <= high.value + 1e-12
    json.dumps(study.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    "case",
    [
        sweep_case([[(0.1, 1)] * 3]),  # nothing is positive
        sweep_case([[(NAN, 1)] * 3]),  # nothing was computed
        sweep_case([GOOD], reference=[230.0]),  # no circumference of a mask
        sweep_case([GOOD], ac=[230.0]),  # no reference
        sweep_case([GOOD], ac=[230.0], reference=[0.0]),
    ],
)
def test_what_cannot_be_measured_is_none_and_never_nan(case, tmp_path):
    study = study_sweeps([case], choose)
    for row in study.smoothing:
        assert row.measured == 0
        assert {error.value for error in row.errors.values()} == {None}
        assert row.error_changed_mm.value is None
    json.dumps([study.as_json(), study.success_rows(), study.smoothing_rows()], allow_nan=False)
    draw_success(study).savefig(tmp_path / "success.png")
    draw_smoothing(study).savefig(tmp_path / "smoothing.png")


@pytest.mark.parametrize("cases", [[], [sweep_case([WRONG, NOTHING])]])
def test_cases_without_any_annotated_frame_are_refused(cases):
    with pytest.raises(TrainingError, match="no case has an annotated frame"):
        study_sweeps(cases, choose)


def test_rows_and_json_hold_the_same_metrics():
    study = study_sweeps([random_case(seed) for seed in range(8)], choose)
    written = json.loads(json.dumps(study.as_json(), allow_nan=False))
    rows = study.success_rows()
    assert [row["sweeps"] for row in rows] == [1, 2, 3, 4] * 2
    usual = written["success"]["annotated"]["usual"][2]
    assert [rows[2]["usual"], [rows[2]["usual_low"], rows[2]["usual_high"]]] == [
        usual["value"],
        usual["interval"],
    ]
    smoothing = study.smoothing_rows()
    assert [row["smoothing_frames"] for row in smoothing] == list(WIDTHS)
    second = written["smoothing"][1]
    assert smoothing[1]["ac_error_median_mm"] == second["ac_error_median_mm"]["value"]
    assert second["within_5_frames"]["interval"] is not None


# --- intervals


def test_intervals_are_percentiles_of_resampled_cases():
    cases = np.random.default_rng(1).normal(size=40)
    found = estimated_mean(cases)
    # of a mean, the interval is that of the normal distribution, near enough
    error = cases.std() / np.sqrt(40)
    assert found.value == pytest.approx(cases.mean())
    assert found.low == pytest.approx(cases.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(cases.mean() + 1.96 * error, abs=0.15 * error)
    drawn = resampled_cases(40)
    medians = [np.median(cases[rows]) for rows in drawn]
    median = estimated_percentile(cases, 50)
    assert [median.low, median.high] == pytest.approx(np.percentile(medians, [2.5, 97.5]))


@pytest.mark.parametrize("subjects", [4, 5])
def test_subjects_are_resampled_and_not_their_cases(subjects):
    """Copies of a case tell nothing new: the interval is that of the subjects."""
    of_subject = [random_case(seed) for seed in range(subjects)]
    apart = [replace(case, subject=case.name) for case in of_subject]
    copies = [
        replace(case, name=f"{case.name}, {copy}", subject=case.name)
        for case in of_subject
        for copy in range(4)
    ]
    found, known = (study_sweeps(cases, best_frame) for cases in (copies, apart))
    assert (found.cases, known.cases) == (4 * subjects, subjects)
    expected = {"unit": "subjects", "count": subjects, "enough": subjects >= 5}
    assert found.as_json()["units"] == known.as_json()["units"] == expected
    assert ("too few to tell" in found.resampled) is (subjects < 5)
    for one, other in zip(found.success, known.success, strict=True):
        assert one.found.as_json() == other.found.as_json()
        assert one.curves["usual"][0].as_json() == other.curves["usual"][0].as_json()
    for one, other in zip(found.smoothing, known.smoothing, strict=True):
        for name in ("within_0_frames", "optimal", "hits_changed", "error_changed_mm"):
            assert one.estimates[name].as_json() == other.estimates[name].as_json()
    if subjects < 5:
        assert all(one.low is None for row in found.smoothing for one in row.estimates.values())


@pytest.mark.parametrize("n", [0, 1, 4])
def test_of_too_few_cases_there_is_no_interval(n):
    cases = np.arange(n)
    for found in (estimated_mean(cases), estimated_percentile(cases, 50)):
        assert (found.low, found.high) == (None, None)
        assert found.value == (pytest.approx((n - 1) / 2) if n else None)
        assert found.as_json()["interval"] is None


def test_the_same_seed_draws_the_same_cases():
    assert (resampled_cases(9, 3) == resampled_cases(9, 3)).all()
    assert (resampled_cases(9, 3) != resampled_cases(9, 4)).any()


def test_the_pictures_show_the_metrics(tmp_path):
    study = study_sweeps([random_case(seed, 6) for seed in range(8)], choose)
    success, smoothing = draw_success(study), draw_smoothing(study)
    assert success.axes[0].lines[0].get_ydata().tolist() == values(study.success[0].usual)
    medians = [row.errors["median_mm"].value for row in study.smoothing]
    assert smoothing.axes[0].lines[0].get_ydata().tolist() == medians
    for name, figure in (("success", success), ("smoothing", smoothing)):
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
