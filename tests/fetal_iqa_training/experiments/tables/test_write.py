import json

import pytest

from fetal_iqa_training.data.split import SPLIT, read_split
from fetal_iqa_training.experiments.tables.plan import Plan
from fetal_iqa_training.experiments.tables.write import about, write_json
from fetal_iqa_training.settings import FitSettings


@pytest.mark.parametrize("given", ["split", "prepared"])
def test_the_results_say_which_list_split_the_data(tmp_path, given):
    listed = tmp_path / SPLIT
    listed.write_text(json.dumps({"training": ["a"], "validation": ["b"], "test": ["c"]}))
    where = {"split": listed} if given == "split" else {"prepared": tmp_path}
    settings = FitSettings(task="cls", encoder="fetalclip-tiny")
    for plan, expected in (
        (Plan(tmp_path, tmp_path, 1, settings, **where), read_split(listed).sha256),
        (Plan(tmp_path, tmp_path, 1, settings), None),
    ):
        write_json(tmp_path / "found.json", "table1", plan, "as shown", {}, [])
        assert json.loads((tmp_path / "found.json").read_text())["split"] == expected


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"device": "cpu", "workers": 2, "precision": "fp32"}, []),
        (
            {"class_weights": 10.0, "fresh_copies": True, "epochs": 1},
            [
                "Other than the paper's recipe: class_weights 10 (the paper: no), epochs 1 (the "
                "paper: 5), fresh_copies yes (the paper: no)."
            ],
        ),
    ],
)
def test_whatever_differs_from_the_papers_recipe_is_named(tmp_path, changed, told):
    plan = Plan(tmp_path, tmp_path, 1, FitSettings(task="cls", encoder="x", **changed))
    assert [line for line in about(plan, "as shown", []) if "recipe" in line] == told
