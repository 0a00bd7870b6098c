"""Models scored as the challenge does: the same as by the long way over a submission."""

import json
import shutil
from functools import partial

import pytest

from fetal_iqa_models import load_card, model_hash
from fetal_iqa_training.challenge.from_models import score_models
from fetal_iqa_training.challenge.known_cases import challenge_cases
from fetal_iqa_training.challenge.scored_folder import score_submission
from fetal_iqa_training.challenge.submission import export_submission
from fetal_iqa_training.data.split import split_list, write_split
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting.fit import fit
from napari_fetal_iqa.analysis import analyse_sweep, write_results
from napari_fetal_iqa.errors import AnalysisError
from napari_fetal_iqa.io import list_cases, read_sweep
from napari_fetal_iqa.io.acouslic import IMAGES

from ..conftest import FRAMES_PER_SWEEP, tiny_settings

FEW = {"case0", "case1", "case2"}


@pytest.fixture(scope="module")
def models(data, tmp_path_factory):
    """A classifier and a segmenter that have learnt a little."""
    folder = tmp_path_factory.mktemp("models")
    for task, epochs in (("cls", 1), ("seg", 2)):
        settings = tiny_settings(task, epochs=epochs, head_rate=5.0, test_share=0.0)
        fit(data, folder / task, settings)
    return {task: folder / task for task in ("cls", "seg")}


@pytest.fixture(scope="module")
def submission(data, models, tmp_path_factory):
    """The same models' submission, by analyse and export."""
    folder = tmp_path_factory.mktemp("submission")
    for case in list_cases(data):
        if case.uuid in FEW:
            sweep = read_sweep(case.image_path, frames_per_sweep=FRAMES_PER_SWEEP)
            analysis = analyse_sweep(
                sweep, models["cls"], models["seg"], device="cpu", use_cache=False
            )
            write_results(analysis, folder / "results" / case.uuid)
    exported = list(export_submission(folder / "results", folder / "out"))
    assert all(one.wrong is None for one in exported)
    return folder / "out"


@pytest.mark.parametrize("rules", ["corrected", "literal"])
def test_the_scores_are_those_of_the_models_submission(data, models, submission, rules):
    expected = score_submission(submission, data, rules)
    scored, setup = score_models(data, models["cls"], models["seg"], rules, only=FEW, device="cpu")
    assert scored.rules == rules
    assert scored.cases == expected.cases
    assert scored.cases.keys() == FEW
    assert scored.complete
    assert [one.hash for one in setup.models] == [model_hash(models[t]) for t in ("cls", "seg")]
    assert scored.means["score"] > 0.5  # so that they are scores of something


def test_one_model_alone_is_scored_too(data, models):
    seg, _ = score_models(data, None, models["seg"], only=FEW, device="cpu")
    assert all(one.frame >= 0 and one.dsc_soft > 0 for one in seg.cases.values())
    cls, _ = score_models(data, models["cls"], None, only=FEW, device="cpu")
    assert all(one.dsc_soft == 0 and one.nae == 1 for one in cls.cases.values())
    assert any(one.wfss > 0 for one in cls.cases.values())


def test_a_model_of_the_other_task_and_a_data_set_without_cases_are_refused(data, models):
    with pytest.raises(AnalysisError):
        score_models(data, models["seg"], None, only=FEW)
    with pytest.raises(TrainingError, match="has no case to score"):
        score_models(data, models["cls"], None, only=())


@pytest.fixture
def evaluated(command):
    return partial(command, "evaluate")


def test_evaluate_challenge_scores_a_part_and_names_a_damaged_case(
    data, models, tmp_path, evaluated
):
    folder = shutil.copytree(data, tmp_path / "data")
    write_split(tmp_path / "s.json", split_list(list_cases(folder), (0.2, 0.3), 1), {})
    part = json.loads((tmp_path / "s.json").read_text())["test"]
    ask = [
        "--challenge", "--cls", models["cls"], "--seg", models["seg"], "--data", folder,
        "--split", tmp_path / "s.json", "--json", tmp_path / "scores.json", "--device", "cpu",
    ]  # fmt: skip
    code, out, err = evaluated(*ask, "--rules", "literal")
    assert code == 0
    assert err.splitlines()[0] == "judged on the test part of the list"
    written = json.loads((tmp_path / "scores.json").read_text())
    assert json.loads(out) == written
    assert (written["rules"], written["scored"]) == ("literal", 3)
    assert written["cases"].keys() == set(part)
    assert [one["hash"] for one in written["models"]] == [
        model_hash(models["cls"]),
        model_hash(models["seg"]),
    ]
    (folder / IMAGES / f"{part[0]}.mha").unlink()
    code, out, err = evaluated(*ask)
    assert code == 1
    assert f"\n{part[0]}: {part[0]}.mha: no such file" in err
    assert "1 of 3 cases were not scored" in err.splitlines()[-1]
    code, out, err = evaluated(*ask, "--json-progress")
    assert code == 1
    done = [json.loads(line) for line in out.splitlines() if '"done"' in line]
    assert any(line["event"] == "done" and line["scored"] == 2 for line in done)


def test_evaluate_challenge_judges_by_cases_that_taught_neither(data, models, tmp_path, evaluated):
    """The two models have splits of their own: each one's test cases may have taught the other."""
    for seed, task in ((1, "cls"), (2, "seg")):
        settings = tiny_settings(task, test_share=0.4, seed=seed)
        fit(data, tmp_path / task, settings)
    taught = [load_card(tmp_path / task).taught for task in ("cls", "seg")]
    names = [[("case", f"case{number}")] for number in range(10)]
    neither = {
        name[0][1]
        for name in names
        if not any(one.learnt_from(name) or one.chosen_by(name) for one in taught)
    }
    assert 0 < len(neither) < 4
    pair = "--cls", tmp_path / "cls", "--seg", tmp_path / "seg"
    ask = ["--challenge", "--data", data, "--json", tmp_path / "scores.json", "--device", "cpu"]
    code, _, err = evaluated(*ask, *pair)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert code == 0
    assert written["cases"].keys() == neither
    assert written["judged_on"] == {
        "what": "the test part of the models' own splits",
        "learnt_from": 0.0,
        "chosen_by": 0.0,
        "recorded": True,
    }
    assert err.splitlines() == ["judged on the test part of the models' own splits"]
    _, _, err = evaluated(*ask, *pair, "--part", "all")
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["scored"] == 10
    assert written["judged_on"]["learnt_from"] >= 0.5
    assert "of these frames taught it" in err
    code, _, err = evaluated(*ask, "--cls", models["cls"])  # which had no test part
    assert code == 1
    assert "give --split, or --part all" in err


@pytest.mark.parametrize(
    ("part", "names", "what"),
    [
        (None, ("case2",), "the test part of the list"),
        ("all", ("case0", "case1", "case2"), "all parts of the list"),
    ],
)
def test_a_list_decides_which_cases_are_scored_whatever_the_part(data, tmp_path, part, names, what):
    split = {"training": ["case0"], "validation": ["case1"], "test": ["case2"]}
    (tmp_path / "s.json").write_text(json.dumps(split))
    chosen = challenge_cases(data, ["demo-cls"], tmp_path / "s.json", part)
    assert chosen.only == names  # and none that the list leaves out
    assert chosen.judged_on.what == what


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ({"test": ["case2", "ghost"]}, "names case 'ghost', not among the annotated ones"),
        ({"test": []}, "its part test has no case"),
    ],
)
def test_evaluate_challenge_refuses_a_split_that_does_not_fit(
    data, tmp_path, evaluated, parts, wrong
):
    split = {"training": ["case0"], "validation": ["case1"]} | parts
    (tmp_path / "s.json").write_text(json.dumps(split))
    code, _, err = evaluated(
        "--challenge", "--cls", "demo-cls", "--data", data, "--split", tmp_path / "s.json"
    )
    assert code == 1
    assert wrong in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--challenge"],
        ["--challenge", "--model", "demo-cls"],
        ["--challenge", "--cls", "demo-cls", "--reliability", "r.png"],
        ["--cls", "demo-cls"],
        ["--model", "demo-cls", "--seg", "demo-seg"],
        [],
        ["--model", "demo-cls", "--part", "training set"],
    ],
)
def test_what_does_not_go_together_is_bad_usage(arguments, evaluated):
    code, _, err = evaluated("--data", "d", *arguments)
    assert code == 2
    assert "Traceback" not in err


def test_rules_without_the_challenge_are_refused(data, models, evaluated):
    code, _, err = evaluated("--model", models["cls"], "--data", data, "--rules", "literal")
    assert code == 2
    assert "--challenge" in err
