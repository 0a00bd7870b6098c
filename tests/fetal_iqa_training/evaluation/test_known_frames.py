"""What a model knew of the frames that judge it: a card knows its split."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from fetal_iqa_models import load_card, load_model, save_with_card
from fetal_iqa_models.cards import Taught
from fetal_iqa_training.data.case_identity import things_of_case
from fetal_iqa_training.data.labelled_frames import acouslic_cases, frames_of
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import evaluate
from fetal_iqa_training.evaluation.known_frames import Watched
from fetal_iqa_training.fitting.fit import fit
from napari_fetal_iqa.corrections.subjects import salt_of_this_machine, subject_key
from napari_fetal_iqa.io.acouslic import IMAGES, MASKS

from ..conftest import disc_volume, tiny_settings


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


@pytest.mark.parametrize(
    ("one", "other", "subject"), [("017_HC", "017_2HC", "017"), ("P01-a", "P01-b", "P01")]
)
def test_a_subject_that_its_cases_are_named_by_is_known_in_each(data, one, other, subject):
    source = next(iter(frames_of(acouslic_cases(data))))
    source = replace(source, case=other, subject=subject)
    taught = Taught.salted("data").having(things_of_case(one, subject))
    watched = Watched(taught)
    list(watched.passing([source]))
    assert watched.judged_on("it").learnt == len(source.positive)
    # an older card has the case alone
    older = Taught(salt=taught.salt).having([("case", one)])
    watched = Watched(older)
    list(watched.passing([source]))
    judged = watched.judged_on("it")
    assert judged.as_json()["recorded"] is False
    assert "earlier version, which did not note every subject" in judged.remark


def test_a_model_of_hc18_knows_the_other_images_of_its_subjects(tmp_path):
    """Fitted to the first of each and judged on the second; or on a correction of the subject."""
    first, second = (tmp_path / name for name in ("first", "second"))
    subjects = [f"{number:03d}" for number in range(6)]
    for folder, ending in ((first, "HC"), (second, "2HC")):
        _write_hc18(folder, {subject: f"{subject}_{ending}" for subject in subjects})
    fit(first, tmp_path / "m", tiny_settings("seg", test_share=0.0))
    judged = evaluate(tmp_path / "m", second, device="cpu").judged_on.as_json()
    assert judged["learnt_from"] + judged["chosen_by"] == pytest.approx(1)
    assert judged["learnt_from"] > 0.8
    assert judged["recorded"] is True
    taught = load_card(tmp_path / "m").taught
    for subject in subjects:
        corrected = [("subject", subject_key(subject, salt_of_this_machine()))]
        assert taught.learnt_from(corrected) or taught.chosen_by(corrected)


def _write_hc18(folder, cases):
    (folder / "images").mkdir(parents=True)
    rows = ["filename,pixel size(mm),head circumference (mm)"]
    for subject, name in cases.items():
        frames, masks = disc_volume(100 * len(name) + int(subject))
        inner = ndimage.binary_erosion(masks[5] > 0)
        for stem, pixels in ((name, frames[5]), (f"{name}_Annotation", (masks[5] > 0) & ~inner)):
            shown = pixels if pixels.dtype == np.uint8 else pixels.astype(np.uint8) * 255
            Image.fromarray(shown).save(folder / "images" / f"{stem}.png")
        rows.append(f"{name}.png,1.0,100.0")
    (folder / "training_set_pixel_size_and_HC.csv").write_text("\n".join(rows) + "\n")


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
