"""The error of the circumference of parent and child, on the frames that both measure."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fetal_iqa_training.evaluation.comparison import FrameOutcome, intervals, per_sweep
from fetal_iqa_training.evaluation.evaluate import Evaluation
from fetal_iqa_training.evaluation.figures import by_case
from fetal_iqa_training.fitting.finetune import _compared
from napari_fetal_iqa.finetuning.events import DoneEvent
from napari_fetal_iqa.finetuning.report import comparison_report
from napari_fetal_iqa.model_library.comparison import ModelComparison
from napari_fetal_iqa.model_library.judgement import judge_child

EASY, HARD = 18, 2


def model(easy, hard, scaled=True, sweeps=6, no_scale_in=()):
    """Outcomes of 20 positive frames a sweep; an error of None is an outline that is not there."""
    found = []
    for sweep in range(sweeps):
        for frame, error in enumerate([easy] * EASY + [hard] * HARD):
            mm = error if scaled and sweep not in no_scale_in else None
            found.append(FrameOutcome(f"s{sweep}", frame, True, 0.05, True, 0.9, mm, error))
    return found


def judged_by_card(parent, child):
    before, after = (
        {"hold_out": Evaluation(len(of), len(of), {"f1": 1.0, "dice": 0.9}, outcomes=tuple(of))}
        for of in (parent, child)
    )
    return _compared(before, after, SimpleNamespace(task="seg", note=None))


def verdict(metrics):
    found = judge_child(ModelComparison.model_validate(metrics), "seg").verdict
    event = DoneEvent(task="seg", model="m", metrics=metrics)
    assert comparison_report(event).is_worse is (found is not None)
    return found


def test_losing_the_hard_outlines_is_not_rewarded():
    """Over its own frames the child has 4 mm and the parent 7.8; where both measure, 4 and 2."""
    metrics = judged_by_card(model(2.0, 60.0), model(4.0, None))
    parent, child = (metrics[side]["hold_out"] for side in ("parent", "child"))
    assert (parent["circumference_error_mm"], child["circumference_error_mm"]) == (2.0, 4.0)
    assert (parent["circumference_measured"], child["circumference_measured"]) == (120, 108)
    assert metrics["intervals"]["hold_out"]["circumference_error_mm"]["difference"] == [2.0, 2.0]
    assert "AC error in mm 4.0, before 2.0" in verdict(metrics)
    swept = per_sweep(model(2.0, 60.0), model(4.0, None))["s0"]
    assert swept["parent"]["circumference_error_mm"] == 2.0


@pytest.mark.parametrize(("hard", "worse"), [(None, True), (60.0, False)])
def test_a_child_that_no_longer_measures_what_its_parent_did_is_worse(hard, worse):
    metrics = judged_by_card(model(2.0, 60.0), model(1.0, hard))
    words = "share measured of the frames that its parent measured 0.9, before 1.0"
    found = verdict(metrics)
    assert (found is not None) is worse
    assert words in found if worse else True


def test_a_child_that_measures_nothing_is_worse_and_a_frame_in_a_hundred_is_let_pass():
    assert "measured 0.0, before 1.0" in verdict(judged_by_card(model(2, 2), model(None, None)))
    child = model(2.0, 2.0)
    child[7] = FrameOutcome("s0", 7, True, 0.05, True, 0.9)
    metrics = judged_by_card(model(2.0, 2.0), child)
    assert metrics["child"]["hold_out"]["circumference_kept"] == 0.9917
    assert verdict(metrics) is None
    report = comparison_report(DoneEvent(task="seg", model="m", metrics=metrics))
    assert report.verdict.startswith("As good on the hold-out")


@pytest.mark.parametrize("kind", ["no scale", "of one sweep none"])
def test_without_a_scale_the_error_in_percent_judges(kind):
    scale = {"scaled": False} if kind == "no scale" else {"no_scale_in": (3,)}
    metrics = judged_by_card(model(2.0, 2.0, **scale), model(25.0, 25.0, **scale))
    assert "circumference_error_mm" not in metrics["parent"]["hold_out"]
    assert "AC error in % 25.0, before 2.0" in verdict(metrics)


def test_with_a_scale_percent_is_not_judged_beside_millimetres():
    metrics = judged_by_card(model(2.0, 2.0), model(3.0, 3.0))
    assert "%" not in verdict(metrics)


@pytest.mark.parametrize(("after", "worse"), [(2.3, False), (2.5, True)])
def test_a_reference_of_too_few_without_a_scale_may_fall_by_a_small_share(after, worse):
    few = {"scaled": False, "sweeps": 2}
    parent, child = (model(error, error, **few) for error in (2.0, after))
    assert intervals(parent, child) == {}
    held = judged_by_card(parent, child)
    metrics = {side: {"reference": {**held[side]["hold_out"]}} for side in ("parent", "child")} | {
        "intervals": {"reference": {}}
    }
    assert (verdict(metrics) is not None) is worse


def errors(mm):
    return {"circumference_error_mm": mm, "circumference_error_percent": mm}


def on_the_reference(parent, child):
    held = judged_by_card(parent, child)
    return {side: {"reference": held[side]["hold_out"]} for side in ("parent", "child")} | {
        part: {"reference": held[part]["hold_out"]} for part in ("intervals", "units")
    }


@given(
    st.lists(st.sampled_from([0.0, 0.3, 3.0, 26.0, -0.1]), min_size=1, max_size=4),
    st.integers(1, 3),
)
@example([26.0, -0.1, -0.1], 1)  # refused by 3 sweeps, once let pass by 6
@settings(max_examples=25, deadline=None)
def test_more_units_never_protect_less(falls, times):
    """The same falls of the error, seen in more sweeps: what fewer refuse, more refuse, too."""

    def judged(repeated):
        sweeps = falls * repeated
        of_sweep = {f"s{sweep}": 4.0 + fall for sweep, fall in enumerate(sweeps)}
        parent = model(4.0, 4.0, sweeps=len(sweeps))
        child = [
            replace(one, **errors(of_sweep[one.sweep]))
            for one in model(4.0, 4.0, sweeps=len(sweeps))
        ]
        return ModelComparison.model_validate(on_the_reference(parent, child))

    few, many = (judge_child(judged(repeated), "seg") for repeated in (times, 2 * times))
    assert bool(few.forgotten) <= bool(many.forgotten)
    fell = round(sum(falls) / len(falls), 4) > 0
    for found in (few, many):
        assert bool(found.forgotten or found.slipped) is fell
        if found.forgotten and not found.doubt_of_reference:
            assert any(move.sure for move in found.forgotten)


def test_what_two_sweeps_of_five_lost_is_not_let_pass_for_a_wide_interval():
    """As an opponent found: F1, Dice and AC much worse in two sweeps, a little better in three."""
    parent = model(4.0, 4.0, sweeps=5)
    child = [
        replace(one, dice=0.3, decision=one.frame > 6, **errors(30.0))
        if one.sweep in ("s0", "s1")
        else replace(one, dice=0.905, **errors(3.9))
        for one in parent
    ]
    metrics = on_the_reference(parent, child)
    low, high = metrics["intervals"]["reference"]["circumference_error_mm"]["difference"]
    assert low < 0 < high
    found = verdict(metrics)
    assert found.startswith("worse than its parent on the reference")
    assert found.endswith("(which may be chance)")


def test_a_case_says_of_how_many_frames_its_error_is():
    lines = by_case(model(2.0, None))
    assert [line["circumference_measured"] for line in lines] == [EASY] * 6


def test_the_window_says_that_outlines_were_lost_and_shows_one_error_of_the_circumference():
    metrics = judged_by_card(model(2.0, 60.0), model(1.0, None))
    report = comparison_report(DoneEvent(task="seg", model="m", metrics=metrics))
    assert "AC still measured 1.00 → 0.90" in report.verdict
    (held,) = report.sets
    errors = [one.label for one in held.metrics if one.name.startswith("circumference_error")]
    assert errors == ["AC error, mm"]
    frames = next(one for one in held.metrics if one.label == "AC frames")
    assert (frames.shown(frames.before), frames.shown(frames.after)) == ("120", "108")
