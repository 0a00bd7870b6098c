import json
import statistics

import pytest

from fetal_iqa_models import ModelCard
from fetal_iqa_training import repeating
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import FitSettings

DICE = {5: 0.5, 6: 0.8, 7: 0.9}


@pytest.fixture
def runs(monkeypatch):
    """Fits that give a known Dice by their seed, and the settings that they were asked for."""
    asked = []

    def fit_one(folder, settings):
        asked.append(settings)
        folder.mkdir(parents=True)
        test = {"frames": 10, "positives": 4, "dice": DICE[settings.seed]}
        card = ModelCard.model_construct(metrics={"test": test})
        (folder / "dice").write_text(str(DICE[settings.seed]))
        return card

    def load_card(folder):
        test = {"frames": 10, "positives": 4, "dice": float((folder / "dice").read_text())}
        return ModelCard.model_construct(metrics={"test": test})

    monkeypatch.setattr(repeating, "load_card", load_card)
    return fit_one, asked


def settings(**more):
    return FitSettings(task="seg", encoder="fetalclip-tiny", seed=5, **more)


def test_mean_and_standard_deviation_over_seeds_on_one_split(runs, tmp_path):
    fit_one, asked = runs
    summary = repeating.repeat_fit(fit_one, tmp_path / "out", settings(), 3)
    assert [(s.seed, s.split_seed) for s in asked] == [(5, 5), (6, 5), (7, 5)]
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["seeds"] == [5, 6, 7]
    assert set(summary["figures"]) == {"dice"}
    assert summary["figures"]["dice"]["mean"] == pytest.approx(2.2 / 3, abs=1e-4)
    assert summary["figures"]["dice"]["std"] == pytest.approx(
        statistics.stdev(DICE.values()), abs=1e-4
    )


def test_runs_that_are_there_are_kept(runs, tmp_path):
    fit_one, asked = runs
    whole = repeating.repeat_fit(fit_one, tmp_path / "out", settings(), 3)
    asked.clear()
    assert repeating.repeat_fit(fit_one, tmp_path / "out", settings(), 3) == whole
    assert asked == []


def test_without_a_test_part_or_in_a_model_folder_it_is_refused(runs, tmp_path):
    fit_one, asked = runs
    with pytest.raises(TrainingError, match="test part"):
        repeating.repeat_fit(fit_one, tmp_path / "out", settings(test_share=0), 2)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(TrainingError, match="is a model folder"):
        repeating.repeat_fit(fit_one, tmp_path, settings(), 2)
    assert asked == []
