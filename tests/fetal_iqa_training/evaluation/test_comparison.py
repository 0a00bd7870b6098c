from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fetal_iqa_training.evaluation.comparison import (
    FrameOutcome,
    changed,
    intervals,
    metrics,
    per_sweep,
    resampled_units,
)
from fetal_iqa_training.evaluation.metrics import FrameMetrics


def outcomes(seed, count, sweeps=3, right=0.8):
    random = np.random.default_rng(seed)
    positive = random.random(count) < 0.4
    decision = np.where(random.random(count) < right, positive, ~positive)
    return [
        FrameOutcome(
            sweep=f"{number % sweeps:064d}",
            frame=number,
            positive=bool(positive[number]),
            score=float(random.random()),
            decision=bool(decision[number]),
            dice=float(random.random()) if positive[number] else None,
            circumference_error_mm=float(random.random()) if positive[number] else None,
        )
        for number in range(count)
    ]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(1, 60), right=st.floats(0, 1))
def test_metrics_are_those_of_torchmetrics(seed, count, right):
    found = outcomes(seed, count, right=right)
    oracle = FrameMetrics()
    oracle.update(
        torch.tensor([one.decision for one in found]), torch.tensor([one.positive for one in found])
    )
    expected = oracle.compute()
    ours = metrics(found)
    assert {name: ours[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    dice = [one.dice for one in found if one.dice is not None]
    assert ours.get("dice") == (pytest.approx(np.mean(dice)) if dice else None)


def test_an_interval_holds_its_figure_and_shrinks_with_more_frames():
    widths = []
    for count in (40, 640):
        parent, child = (outcomes(1, count, count // 2, right) for right in (0.6, 0.9))
        found = intervals(parent, child)
        for side, of in (("parent", parent), ("child", child)):
            low, high = found["f1"][side]
            assert low <= metrics(of)["f1"] <= high
        low, high = found["f1"]["difference"]
        assert low > 0
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
    assert found == intervals(parent, child)


@pytest.mark.parametrize("sweeps", [1, 3, 4])
def test_fewer_than_five_sweeps_are_too_few_to_tell(sweeps):
    """Resampled by frame, hundreds of frames of three sweeps would give a narrow interval."""
    parent, child = outcomes(1, 640, sweeps, 0.6), outcomes(1, 640, sweeps, 0.9)
    assert intervals(parent, child) == {}
    assert resampled_units(parent) == {"unit": "sweeps", "count": sweeps, "enough": False}


def test_sweeps_of_one_subject_are_resampled_together():
    """Oracle: a sweep of the same frames for each subject, and nothing else."""
    apart = outcomes(4, 120, sweeps=12)
    whose = [replace(one, subject=str(int(one.sweep) % 6)) for one in apart]
    merged = [replace(one, sweep=str(int(one.sweep) % 6)) for one in apart]
    assert intervals(whose, whose) == intervals(merged, merged)
    assert intervals(whose, whose) != intervals(apart, apart)
    assert resampled_units(whose) == {"unit": "subjects", "count": 6, "enough": True}
    few = [replace(one, subject=str(int(one.sweep) % 4)) for one in apart]
    assert intervals(few, few) == {}
    mixed = [*whose[:1], *apart[1:]]
    assert resampled_units(mixed)["unit"] == "subjects, and sweeps of unknown ones"


def test_frames_of_many_sweeps_are_resampled_by_sweep():
    """Twenty copies of one frame tell no more than that frame."""
    one = outcomes(2, 12, sweeps=12)
    copied = [replace(frame, frame=number) for frame in one for number in range(20)]
    few, many = intervals(one, one)["f1"]["child"], intervals(copied, copied)["f1"]["child"]
    assert many == few


def test_a_child_like_its_parent_differs_by_nothing():
    same = outcomes(3, 50, sweeps=8)
    assert intervals(same, same)["dice"]["difference"] == [0, 0]
    assert changed(same, same, "seg") == {"better": [], "worse": []}


def test_changed_frames_are_named_the_most_changed_first():
    frame = FrameOutcome("s" * 64, 0, True, 0.5, True)
    parent = [replace(frame, frame=n, score=0.5) for n in range(4)]
    child = [replace(f, score=s) for f, s in zip(parent, (0.9, 0.505, 0.2, 0.7), strict=True)]
    found = changed(parent, child, "cls")
    assert [move["frame"] for move in found["better"]] == [0, 3]
    assert found["worse"] == [{"sweep": "s" * 64, "frame": 2, "before": 0.5, "after": 0.2}]


def test_an_empty_frame_of_a_segmenter_gets_better_by_its_decision():
    was = FrameOutcome("s" * 64, 7, positive=False, score=0.04, decision=True)
    now = replace(was, score=0.0, decision=False)
    assert changed([was], [now], "seg")["better"][0]["after"] == 1.0
    assert changed([now], [was], "seg")["worse"][0]["frame"] == 7


def test_each_sweep_has_its_own_metrics():
    parent, child = outcomes(4, 30), outcomes(4, 30, right=1.0)
    found = per_sweep(parent, child)
    assert list(found) == ["00000000"]  # the starts of these identities are alike
    parent = [replace(one, sweep=f"{one.frame % 3}" * 64) for one in parent]
    child = [replace(one, sweep=f"{one.frame % 3}" * 64) for one in child]
    found = per_sweep(parent, child)
    assert list(found) == ["00000000", "11111111", "22222222"]
    assert sum(sides["child"]["frames"] for sides in found.values()) == 30
    assert all(sides["child"]["accuracy"] == 1.0 for sides in found.values())


def test_a_sweep_without_an_abdomen_has_no_f1_and_none_in_the_interval():
    """Of five sweeps one shows the abdomen: a third of the resamples leave it out."""
    frames = [
        FrameOutcome(f"{sweep}", frame, positive=sweep == 0, score=0.5, decision=sweep == 0)
        for sweep in range(5)
        for frame in range(4)
    ]
    assert "f1" not in per_sweep(frames, frames)["1"]["child"]
    assert per_sweep(frames, frames)["0"]["child"]["f1"] == 1.0
    found = intervals(frames, frames)
    assert {name: found[name]["child"] for name in ("f1", "precision", "recall")} == {
        "f1": [1, 1],
        "precision": [1, 1],
        "recall": [1, 1],
    }
    nothing = [replace(one, positive=False) for one in frames]
    assert set(intervals(nothing, nothing)) == {"accuracy"}
