"""The protocol between trainer and window: its lines on disk, of this version and of others."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fetal_iqa.finetuning.events import (
    DoneEvent,
    ErrorEvent,
    FrameCounts,
    Progress,
    SummaryEvent,
    line_of,
    parse_event,
)
from napari_fetal_iqa.model_library.comparison import ModelComparison

HELD = {"frames": 12, "positives": 6, "f1": 0.84}
METRICS = {
    "parent": {"corrections": HELD, "hold_out": HELD},
    "child": {"corrections": HELD, "hold_out": HELD},
    "intervals": {"hold_out": {"f1": {"parent": [0.7, 0.9], "difference": [-0.05, 0.18]}}},
    "sweeps": {"0123abcd": {"parent": HELD, "child": HELD}},
    "changed": {
        "better": [{"sweep": "abc", "frame": 12, "before": 0.4, "after": 0.9}],
        "worse": [],
    },
}

# each line as version 0.1.0 wrote it, field for field
LINES = {
    '{"event": "reading", "done": 3, "total": 0, "loss": null, "metrics": {}, "task": "cls"}': (
        Progress("reading", 3, task="cls")
    ),
    '{"event": "step", "done": 1, "total": 9, "loss": 0.5, "metrics": {}}': (
        Progress("step", 1, 9, 0.5)
    ),
    '{"event": "validation", "done": 9, "total": 9, "loss": 0.25, "metrics": {"f1": 0.75}, '
    '"task": "cls"}': Progress("validation", 9, 9, 0.25, {"f1": 0.75}, "cls"),
    '{"event": "summary", "task": "seg", "sweeps": 2, "frames": 9, "positives": 5, '
    '"negatives": 4, "reviewers": ["AK", "BL"], "hold_out": {"sweeps": 1, "frames": 2, '
    '"positives": 1, "negatives": 1}, "problem": null, "note": "few"}': SummaryEvent(
        task="seg", sweeps=2, frames=9, positives=5, negatives=4, reviewers=("AK", "BL"),
        hold_out=FrameCounts(sweeps=1, frames=2, positives=1, negatives=1), note="few",
    ),
    f'{{"event": "done", "model": "/m", "hash": "ab", "metrics": {json.dumps(METRICS)}, '
    '"task": "cls"}': DoneEvent(model="/m", hash="ab", metrics=METRICS, task="cls"),
    '{"event": "error", "message": "the base is gone"}': ErrorEvent(message="the base is gone"),
}  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["event"])
def test_the_lines_of_version_0_1_0_are_written_and_read(line):
    event = LINES[line]
    assert parse_event(line.encode()) == event
    # later versions add fields, and change none
    assert json.loads(line).items() <= json.loads(line_of(event)).items()


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["event"])
def test_fields_of_later_versions_are_ignored(line, caplog):
    later = json.dumps(json.loads(line) | {"colour": "blue", "eta": [1, 2]})
    assert parse_event(later.encode()) == LINES[line]
    assert not caplog.records


def test_events_of_later_versions_are_ignored_in_silence(caplog):
    assert parse_event(b'{"event": "warming up", "done": 3}') is None
    assert parse_event(b"") is None
    assert not caplog.records


@pytest.mark.parametrize(
    "line",
    [
        b"no event",
        b"[1]",
        b"{}",
        b'{"event": "step", "done": "x"}',
        b'{"event": "error"}',
        b'{"event": "done", "task": ',
        b"\xff\xfe",
    ],
)
def test_a_malformed_line_is_one_warning(line, caplog):
    with caplog.at_level(logging.WARNING):
        assert parse_event(line) is None
    assert len(caplog.records) == 1


@given(st.binary(max_size=60) | st.from_regex(rb'\{"event": "(step|done|summary)", .*\}'))
def test_no_line_is_a_crash(line):
    parse_event(line)


def test_numbers_that_are_none_pass():
    event = Progress("step", 1, loss=float("nan"))
    assert '"loss": NaN' in line_of(event)
    assert parse_event(line_of(event).encode()).loss != 0.0


def test_a_comparison_keeps_all_that_a_card_says():
    assert (
        ModelComparison.model_validate(METRICS).model_dump(exclude_unset=True, mode="json")
        == METRICS
    )


def test_a_malformed_part_of_a_comparison_leaves_the_rest():
    changed = {"better": [{"sweep": "abc"}, 5], "worse": "many"}
    damaged = METRICS | {"changed": changed, "note": 5, "sweeps": [], "later": "unknown"}
    found = ModelComparison.model_validate(damaged)
    assert found.child.hold_out == HELD
    assert found.changed.better == (None, None)
    assert (found.changed.worse, found.note, found.sweeps) == (None, None, None)
