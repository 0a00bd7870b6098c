import pytest

from fetal_iqa_training.experiments.tables.cost import CostMeter, read_cost
from fetal_iqa_training.progress import Progress
from fetal_iqa_training.settings import FitSettings

SETTINGS = FitSettings(task="cls", encoder="fetalclip-tiny", device="cpu")


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when the test says so."""

    class Clock:
        now = 100.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("fetal_iqa_training.experiments.tables.cost.time", clock)
    return clock


def epoch(meter, clock, seconds):
    clock.now += seconds
    meter(Progress("validation", 1))


def test_epochs_are_counted_from_the_end_of_reading_and_everything_is_passed_on(tmp_path, clock):
    passed_on = []
    meter = CostMeter(tmp_path / "cost.json", SETTINGS, passed_on.append)
    clock.now += 7
    meter(Progress("reading", 1, 1))
    epoch(meter, clock, 3)
    epoch(meter, clock, 2)
    clock.now += 4  # the test part is judged
    cost = meter.finish()
    assert cost.epoch_seconds == pytest.approx((3, 2))
    assert cost.seconds == pytest.approx(16)
    assert [progress.event for progress in passed_on] == ["reading", "validation", "validation"]
    assert read_cost(tmp_path / "cost.json") == cost


def test_a_run_that_was_cut_off_is_counted_whole(tmp_path, clock):
    path = tmp_path / "cost.json"
    epoch(CostMeter(path, SETTINGS, lambda progress: None), clock, 3)
    clock.now += 1000  # nobody worked
    meter = CostMeter(path, SETTINGS, lambda progress: None)
    epoch(meter, clock, 2)
    assert meter.finish().seconds == pytest.approx(5)
    assert meter.finish().epoch_seconds == pytest.approx((3, 2))


def test_a_run_with_other_settings_begins_at_zero(tmp_path, clock):
    path = tmp_path / "cost.json"
    epoch(CostMeter(path, SETTINGS, lambda progress: None), clock, 3)
    other = SETTINGS.model_copy(update={"epochs": 9})
    assert CostMeter(path, other, lambda progress: None).finish().seconds == 0


def test_what_is_no_cost_is_none(tmp_path):
    (tmp_path / "cost.json").write_text("{}")
    assert read_cost(tmp_path / "cost.json") is None
    assert read_cost(tmp_path / "nowhere.json") is None
