"""What a model knew of the frames that judge it: a card knows its split."""

import json
import shutil
from dataclasses import replace

import pytest

from fetal_iqa_models import load_card, load_model, save_with_card
from fetal_iqa_training.data.case_identity import things_of_case
from fetal_iqa_training.data.labelled_frames import acouslic_cases, frames_of
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import evaluate
from fetal_iqa_training.evaluation.known_frames import Watched
from fetal_iqa_training.fitting.fit import fit
from napari_fetal_iqa.io.acouslic import IMAGES, MASKS

from ..conftest import tiny_settings


@pytest.fixture(scope="module")
def fitted(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "seg"
    fit(data, folder, tiny_settings("seg", test_share=0.3))
    return folder


def test_a_model_is_judged_on_its_own_test_part_by_default(fitted, data):
    """That is, with the figures of its card, and nothing of what it learnt from."""
    judged = evaluate(fitted, data, device="cpu")
    assert judged.as_metrics() == load_card(fitted).metrics["test"]
    assert judged.judged_on.as_json() == {
        "what": "the test part of its own split",
        "learnt_from": 0.0,
        "chosen_by": 0.0,
        "recorded": True,
    }
    assert judged.judged_on.remark is None


def test_all_of_its_data_says_what_share_taught_it(fitted, data):
    judged = evaluate(fitted, data, part="all", device="cpu")
    assert judged.frames == 300
    assert judged.judged_on.as_json()["learnt_from"] == 0.6
    assert judged.judged_on.as_json()["chosen_by"] == 0.1
    assert "180 of 300 frames (60%) taught the model" in judged.judged_on.remark
    training = evaluate(fitted, data, part="training", device="cpu")
    assert (training.frames, training.judged_on.learnt) == (180, 180)


def test_a_copy_under_other_names_is_known_by_its_frames(fitted, renamed):
    judged = evaluate(fitted, renamed, device="cpu")
    assert judged.judged_on.what == "all annotated sweeps"
    assert judged.judged_on.learnt == 180
    with pytest.raises(TrainingError, match="holds no case of the test part"):
        evaluate(fitted, renamed, part="test", device="cpu")


def test_other_frames_under_the_names_of_its_own_split_are_not_its_test_part(
    fitted, data, tmp_path
):
    taught = load_card(fitted).taught
    names = [f"case{number}" for number in range(10)]
    tested = [name for name in names if taught.tested_on([("case", name)])]
    learnt = [name for name in names if taught.learnt_from([("case", name)])]
    foreign = shutil.copytree(data, tmp_path / "foreign")
    for test, training in zip(tested, learnt, strict=False):  # its training frames, renamed
        for part in (IMAGES, MASKS):
            shutil.copy(data / part / f"{training}.mha", foreign / part / f"{test}.mha")
    judged = evaluate(fitted, foreign, device="cpu").judged_on
    assert judged.what == (
        "all annotated sweeps, 3 of them named as in its own split but with other frames"
    )
    assert judged.learnt >= 180
    older = taught.model_copy(update={"tested_by_content": False})
    card = load_card(fitted).model_copy(update={"taught": older})
    save_with_card(fitted, tmp_path / "older", card)
    judged = evaluate(tmp_path / "older", foreign, device="cpu").judged_on
    assert "by case names alone" in judged.what


def test_a_subject_that_taught_by_one_case_is_known_in_the_other(fitted, data):
    taught = load_card(fitted).taught
    cases = {case.name: case for case in acouslic_cases(data)}
    one = next(name for name in cases if taught.learnt_from([("case", name)]))
    watched = Watched(taught)
    sources = list(frames_of([cases[one]]))
    stranger = [source for source in frames_of(cases.values()) if source.case not in (one,)]
    new = [s for s in stranger if taught.tested_on([("case", s.case)])][:1]
    list(watched.passing([*sources, replace(new[0], subject=sources[0].subject)]))
    judged = watched.judged_on("both")
    assert judged.learnt == judged.frames == 36
    # as in another folder, without the case that taught
    alone = Watched(taught.having(things_of_case(one, sources[0].subject)))
    elsewhere = replace(new[0], subject=sources[0].subject, case="second-visit")
    list(alone.passing([elsewhere]))
    assert alone.judged_on("the other").learnt == len(elsewhere.positive)


def test_an_older_card_says_that_nothing_is_known(fitted, data, tmp_path):
    old = load_card(fitted).model_copy(update={"taught": None})
    save_with_card(fitted, tmp_path / "old", old)
    judged = evaluate(tmp_path / "old", data, device="cpu")
    assert judged.frames == 300
    assert "does not say what taught it" in judged.judged_on.remark
    assert load_model(tmp_path / "old").card.taught is None


def test_the_command_tells_and_so_does_the_picture(bases, data, tmp_path, command):
    picture = tmp_path / "reliability.png"
    code, out, err = command("evaluate", "--model", bases / "cls", "--data", data, "--part", "all",
        "--reliability", picture, "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["judged_on"]["learnt_from"] == 0.9
    assert "90% of these frames taught it" in err
    assert picture.stat().st_size > 0
    code, out, err = command("calibrate", "--model", bases / "cls", "--data", data, "--part", "all",
        "--out", tmp_path / "calibrated", "--device", "cpu",
    )  # fmt: skip
    if code == 0:  # or no temperature can be found
        assert load_card(tmp_path / "calibrated").training["calibrated_on"]["learnt_from"] == 0.9
        assert "90% of these frames taught it" in err
