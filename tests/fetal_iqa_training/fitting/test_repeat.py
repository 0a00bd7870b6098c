import json
import statistics

import pytest

from fetal_iqa_models import ModelCard
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting import repeat as repeating
from fetal_iqa_training.settings import FitSettings

DICE = {5: 0.5, 6: 0.8, 7: 0.9}


BASIS = {"data": "d" * 64, "weights": None, "start_from": None}


@pytest.fixture
def runs():
    """Fits that give a known Dice by their seed, and the settings that they were given."""
    given = []

    def fit_one(folder, settings):
        given.append(settings)
        folder.mkdir(parents=True)
        card = ModelCard(
            name="seg",
            task="seg",
            encoder="fetalclip-tiny",
            image_size=56,
            training_data=BASIS["data"],
            training={"settings": settings.model_dump(mode="json"), "weights": None},
            metrics={
                "test": {
                    "frames": 10,
                    "positives": 4,
                    "dice": DICE[settings.seed],
                    "circumference_measured": settings.seed,
                    "judged_on": {"recorded": True},
                }
            },
        )
        (folder / "model.json").write_text(card.model_dump_json())
        return card

    return fit_one, given


def repeat(fit_one, out, settings, runs, **other):
    return repeating.repeat_fit(fit_one, out, settings, runs, lambda: BASIS | other)


def settings(**more):
    return FitSettings(task="seg", encoder="fetalclip-tiny", seed=5, **more)


def test_mean_and_standard_deviation_over_seeds_on_one_split(runs, tmp_path):
    fit_one, given = runs
    summary = repeat(fit_one, tmp_path / "out", settings(), 3)
    assert [(s.seed, s.split_seed) for s in given] == [(5, 5), (6, 5), (7, 5)]
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["seeds"] == [5, 6, 7]
    assert set(summary["figures"]) == {"dice", "circumference_measured"}
    assert summary["figures"]["circumference_measured"] == {"mean": 6.0, "std": 1.0}
    assert summary["figures"]["dice"]["mean"] == pytest.approx(2.2 / 3, abs=1e-4)
    assert summary["figures"]["dice"]["std"] == pytest.approx(
        statistics.stdev(DICE.values()), abs=1e-4
    )


def test_runs_that_are_there_are_kept(runs, tmp_path):
    fit_one, given = runs
    whole = repeat(fit_one, tmp_path / "out", settings(), 3)
    given.clear()
    assert repeat(fit_one, tmp_path / "out", settings(), 3) == whole
    assert given == []


@pytest.mark.parametrize(
    ("more", "other", "named"),
    [
        ({"epochs": 9, "learning_rate": 0.1}, {}, "epochs, learning_rate"),
        ({"split_seed": 4}, {}, "split_seed"),
        ({}, {"data": "e" * 64}, "data"),
        ({}, {"weights": "f" * 64}, "weights"),
        ({}, {"start_from": "f" * 64}, "start_from"),
        ({}, {"split": "f" * 64}, "split"),
        ({"recipe": "published"}, {}, "recipe"),
    ],
)
def test_runs_that_were_fitted_otherwise_are_refused(runs, tmp_path, more, other, named):
    fit_one, given = runs
    repeat(fit_one, tmp_path / "out", settings(), 2)
    given.clear()
    with pytest.raises(TrainingError, match=f"seed-5: was fitted with other {named} than"):
        repeat(fit_one, tmp_path / "out", settings(**more), 3, **other)
    assert given == []


def test_runs_with_another_number_of_workers_are_the_same(runs, tmp_path):
    fit_one, _ = runs
    whole = repeat(fit_one, tmp_path / "out", settings(), 2)
    assert repeat(fit_one, tmp_path / "out", settings(workers=3), 2) == whole


def test_runs_of_a_version_that_did_not_know_a_setting_had_its_default(runs, tmp_path):
    fit_one, given = runs

    def earlier(folder, settings):
        card = fit_one(folder, settings)
        del card.training["settings"]["recipe"]
        (folder / "model.json").write_text(card.model_dump_json())
        return card

    whole = repeat(earlier, tmp_path / "out", settings(), 2)
    given.clear()
    assert repeat(fit_one, tmp_path / "out", settings(), 2) == whole
    assert given == []


def test_the_list_of_the_split_says_whether_there_is_a_test_part(runs, tmp_path):
    fit_one, given = runs
    with pytest.raises(TrainingError, match="test part"):
        repeating.repeat_fit(fit_one, tmp_path, settings(), 2, lambda: BASIS, has_test=False)
    assert given == []
    given = settings(test_share=0)
    whole = repeating.repeat_fit(fit_one, tmp_path, given, 2, lambda: BASIS, has_test=True)
    assert whole["seeds"] == [5, 6]


def test_without_a_test_part_or_in_a_model_folder_it_is_refused(runs, tmp_path):
    fit_one, given = runs
    with pytest.raises(TrainingError, match="test part"):
        repeat(fit_one, tmp_path / "out", settings(test_share=0), 2)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(TrainingError, match="is a model folder"):
        repeat(fit_one, tmp_path, settings(), 2)
    assert given == []
