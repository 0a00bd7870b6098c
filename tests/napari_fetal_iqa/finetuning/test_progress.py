"""What the window shows of a training, from the trainer's events."""

import math

import pytest

from napari_fetal_iqa.finetuning.events import DoneEvent, Progress, SummaryEvent, parse_event
from napari_fetal_iqa.finetuning.progress import FinetuningProgress, describe, duration
from napari_fetal_iqa.finetuning.report import MetricChange, comparison_report


def step(done, total=150, task="cls", loss=0.5, event="step", **more):
    return Progress(event, done, total, loss, task=task, **more)


def test_each_phase_is_reported_in_words():
    progress = FinetuningProgress(["cls"])
    assert progress.describe(0) == "Loading the networks…"
    progress.take(step(3, 12, event="reading", loss=None), 0)
    assert progress.describe(0) == "Reading the corrected frames 3/12…"
    progress.take(step(1, 2, event="evaluating", loss=None), 1)
    assert progress.describe(1) == "Judging the model as it is 1/2…"
    progress.take(step(30), 10)
    progress.take(step(34), 12)
    assert progress.describe(12) == "Learning 34/150, 58 s left"
    assert progress.describe(15) == "Learning 34/150, 55 s left"
    progress.take(step(1, 2, event="evaluating", loss=None), 80)
    assert progress.describe(80) == "Judging what was learnt 1/2…"


def test_of_two_tasks_each_has_its_curve_and_is_named():
    progress = FinetuningProgress(["cls", "seg"])
    progress.take(step(1, loss=0.9), 0)
    progress.take(step(1, event="validation", metrics={"f1": 0.3}), 0)
    progress.take(step(1, 2, event="evaluating", loss=None), 1)
    progress.take(step(1, 0, task="seg", event="evaluating", loss=None), 2)
    assert progress.describe(2) == "Outlines (2 of 2): judging the model as it is 1…"
    progress.take(step(1, task="seg", loss=0.7), 3)
    assert progress.curves["cls"].losses == [0.9]
    assert progress.curves["cls"].metrics == {"f1": ([1], [0.3])}
    assert progress.curves["seg"].losses == [0.7]


@pytest.mark.parametrize(
    "event",
    [
        SummaryEvent(task="cls"),
        DoneEvent(model="m"),
        Progress("writing", 3, 12),
        Progress("encoding", 3, 12),
    ],
)
def test_what_is_no_progress_changes_nothing(event):
    progress = FinetuningProgress(["cls"])
    progress.take(event, 0)
    assert progress.describe(0) == "Loading the networks…"


def test_the_time_left_is_not_guessed_of_a_training_that_was_just_found():
    progress = FinetuningProgress(["cls"])
    progress.take(step(100), 5.0)
    assert progress.seconds_left(5.0) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (58.4, "58 s"), (130, "2 min"), (7810, "2 h 10 min")]
)
def test_a_time_is_written_as_people_do(seconds, text):
    assert duration(seconds) == text


def test_a_summary_is_a_sentence():
    given = {"task": "seg", "sweeps": 1, "frames": 8, "positives": 5}
    held = {"sweeps": 1, "frames": 2, "positives": 1}
    assert describe(SummaryEvent(**given, hold_out=held)) == (
        "Outlines: 8 frames of 1 sweep, 5 with the abdomen; 2 frames of 1 sweep held out to judge"
    )
    assert "nothing will judge it" in describe(SummaryEvent(**given))
    assert describe(SummaryEvent(**given, problem="outline more")) == "Outlines: outline more"
    advised = describe(SummaryEvent(**given, hold_out=held, advice="label some as none"))
    assert advised.endswith(" held out to judge. Label some as none")


def done(before, after, difference=None, task="seg", **more):
    name = "dice" if task == "seg" else "f1"
    metrics = {
        "parent": {"hold_out": {"frames": 12, name: before, "recall": math.nan}},
        "child": {"hold_out": {"frames": 12, name: after, "recall": 0.5}},
        **more,
    }
    if difference:
        metrics["intervals"] = {"hold_out": {name: {"difference": difference}}}
    return DoneEvent(task=task, model="m", hash="ab", metrics=metrics)


@pytest.mark.parametrize(
    ("event", "verdict", "is_worse"),
    [
        (done(0.71, 0.84, [0.02, 0.2]), "Better on the hold-out: Dice 0.71 → 0.84", False),
        (
            done(0.71, 0.84, [-0.02, 0.2]),
            "Better on the hold-out: Dice 0.71 → 0.84, which may be chance",
            False,
        ),
        (done(0.8, 0.7, task="cls"), "Worse on the hold-out: F1 0.80 → 0.70", True),
        (done(0.8041, 0.8012), "Worse on the hold-out: Dice 0.804 → 0.801", True),
        (done(0.8, 0.8), "As good on the hold-out: Dice 0.80", False),
        (
            DoneEvent(task="cls", model="m", metrics={"note": "no hold-out: too few frames"}),
            "Not judged: no hold-out, too few frames",
            False,
        ),
        (DoneEvent(task="cls", model="m", metrics=None), "Not judged: no hold-out", False),
        (
            parse_event(b'{"event": "done", "task": "cls", "model": "m", "metrics": [1]}'),
            "Not judged: no hold-out",
            False,
        ),
    ],
)
def test_the_verdict_is_one_line(event, verdict, is_worse):
    found = comparison_report(event)
    assert found.verdict == verdict
    assert found.is_worse is is_worse


def test_a_smaller_error_of_the_circumference_is_better():
    event = done(0.7, 0.8)
    for side, error in (("parent", 9.0), ("child", 4.0)):
        event.metrics[side]["hold_out"]["circumference_error_mm"] = error
    (held,) = comparison_report(event).sets
    assert {metric.name: round(metric.gain, 6) for metric in held.metrics} == {
        "dice": 0.1,
        "circumference_error_mm": 5.0,
    }


def test_the_verdict_names_what_got_worse_beside_a_better_dice_and_how_few_judged():
    few = {"hold_out": {"unit": "sweeps", "count": 3, "enough": False}}
    event = done(0.82, 0.96, units=few)
    for side, f1, error in (("parent", 0.8, 8.0), ("child", 0.7, 9.5)):
        event.metrics[side]["hold_out"] |= {"f1": f1, "circumference_error_mm": error}
    found = comparison_report(event)
    assert found.is_worse
    assert found.verdict == (
        "Worse on the hold-out: AC error, mm 8.0 → 9.5, F1 0.80 → 0.70, though better: "
        "Dice 0.82 → 0.96; 3 sweeps: too few to tell"
    )


@pytest.mark.parametrize(
    ("after", "is_worse", "how"),
    [(0.957, True, "Worse"), (0.962, False, "A little worse")],
)
def test_the_verdict_names_what_fell_on_a_reference_that_is_too_small(after, is_worse, how):
    event = done(0.7, 0.8)
    for side, dice in (("parent", 0.969), ("child", after)):
        event.metrics[side]["reference"] = {"dice": dice}
    found = comparison_report(event)
    assert found.is_worse is is_worse
    assert found.verdict == (
        f"Better on the hold-out: Dice 0.70 → 0.80; {how} on the reference set: "
        f"Dice 0.97 → {after:.2f}, too few to be sure"
    )


@pytest.mark.parametrize(
    ("after", "is_worse", "how"),
    [(0.957, True, "Worse"), (0.962, False, "A little worse")],
)
def test_the_verdict_says_what_fell_on_a_reference_though_its_interval_holds_0(
    after, is_worse, how
):
    event = done(0.7, 0.8)
    for side, dice in (("parent", 0.969), ("child", after)):
        event.metrics[side]["reference"] = {"dice": dice}
    intervals = event.metrics.setdefault("intervals", {})
    intervals["reference"] = {"dice": {"difference": [-0.4, 0.01]}}
    found = comparison_report(event)
    assert found.is_worse is is_worse
    assert found.verdict.endswith(
        f"; {how} on the reference set: Dice 0.97 → {after:.2f}, which may be chance"
    )


def test_frames_that_changed_are_listed_and_nonsense_is_not():
    frame = {"sweep": "abc", "frame": 3, "before": 0.2, "after": 0.9}
    event = done(0.7, 0.8, changed={"better": [frame, 5, {}], "worse": None})
    found = comparison_report(event)
    assert [(item.sweep, item.frame) for item in found.better] == [("abc", 3)]
    assert found.worse == ()


def test_what_rounds_to_nothing_is_no_negative_zero():
    metric = MetricChange("dice", "Dice", 0.912, 0.909, None, 2, less_is_better=False)
    assert metric.shown(metric.after - metric.before, sign=True) == "+0.00"
    assert metric.shown(metric.after - metric.before) == "0.00"
    assert metric.shown(-0.02) == "-0.02"
