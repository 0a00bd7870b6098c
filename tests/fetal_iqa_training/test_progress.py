import io
import json

from fetal_iqa_training.progress import Bars, JsonLines, Progress, silent

STORY = [
    Progress("reading", 1, 2),
    Progress("reading", 2, 2),
    Progress("step", 1, 3, loss=0.5),
    Progress("validation", 1, 3, loss=0.4, metrics={"f1": 0.75}),
    Progress("step", 2, 3, loss=0.25),
    Progress("evaluating", 1),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_event_is_one_json_line():
    stream = io.StringIO()
    lines = JsonLines(stream)
    for progress in STORY:
        lines(progress)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == [progress.event for progress in STORY]
    assert events[3] == {
        "event": "validation",
        "done": 1,
        "total": 3,
        "loss": 0.4,
        "metrics": {"f1": 0.75},
    }


def test_json_lines_are_flushed_as_they_come():
    class Flushing(io.StringIO):
        flushed = 0

        def flush(self):
            self.flushed += 1

    stream = Flushing()
    lines = JsonLines(stream)
    for progress in STORY:
        lines(progress)
    assert stream.flushed == len(STORY)


def test_bars_show_each_phase_and_the_validation_on_a_terminal():
    stream = Terminal()
    bars = Bars(stream)
    for progress in STORY:
        bars(progress)
    bars.close()
    drawn = stream.getvalue()
    for words in ("Reading", "Learning", "Judging", "2/3", "f1=0.75"):
        assert words in drawn


def test_bars_draw_nothing_where_there_is_no_terminal():
    stream = io.StringIO()
    bars = Bars(stream)
    for progress in STORY:
        bars(progress)
        silent(progress)
    bars.close()
    assert stream.getvalue() == ""
