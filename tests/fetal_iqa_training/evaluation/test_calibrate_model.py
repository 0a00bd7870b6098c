"""The temperature of a model: found, kept in its folder, applied where it speaks."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from fetal_iqa_models import (
    FramePredictor,
    load_card,
    load_model,
    model_hash,
    save_model,
    save_with_card,
)
from fetal_iqa_training.data.split import split_list, write_split
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibrate_model import calibrate, find_temperature
from fetal_iqa_training.evaluation.calibration import expected_calibration_error, fit_temperature
from fetal_iqa_training.evaluation.comparison import FrameOutcome
from fetal_iqa_training.evaluation.evaluate import Evaluation, evaluate
from fetal_iqa_training.fitting.fit import fit
from napari_fetal_iqa.io import list_cases

from ..conftest import tiny_settings


def judged(logits, labels):
    outcomes = tuple(
        FrameOutcome("s", n, bool(label), float(expit(one)), one > 0)
        for n, (one, label) in enumerate(zip(logits, labels, strict=True))
    )
    return Evaluation(len(labels), int(sum(labels)), {}, {}, outcomes, np.float32(logits))


def synthetic(factor, n=3000, lean=0.0):
    random = np.random.default_rng(0)
    true = random.normal(0, 2, n)
    return factor * true + lean, random.random(n) < expit(true)


@pytest.fixture(scope="module")
def split(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("split") / "split.json"
    write_split(path, split_list(list_cases(data), (0.3, 0.2), 0), {})
    return path


@pytest.fixture(scope="module")
def fitted(data, split, tmp_path_factory):
    """A classifier that learnt for two epochs, and its card."""
    folder = tmp_path_factory.mktemp("models") / "cls"
    return folder, fit(data, folder, tiny_settings("cls", epochs=2), split=split)


@pytest.fixture(scope="module")
def unsure(fitted, tmp_path_factory):
    """The same classifier with the temperature 1 and a threshold that is not in the middle."""
    folder, card = fitted
    out = tmp_path_factory.mktemp("models") / "unsure"
    model = load_model(folder)
    save_model(
        model,
        out,
        card.model_copy(update={"temperature": 1.0, "quality_threshold": 0.6, "parent": None}),
    )
    return out


def test_a_fit_ends_with_the_temperature_of_its_validation_frames(fitted, data, split):
    folder, card = fitted
    assert card.training["calibration"] == "temperature by the validation frames"
    seen = evaluate(folder, data, split=split, part="validation", device="cpu")
    assert card.temperature == pytest.approx(fit_temperature(seen.logits, seen.labels), rel=0.05)
    assert abs(card.temperature - 1) > 0.1  # so that the rest of these tests can tell
    validation, test = card.metrics["validation"], card.metrics["test"]
    assert validation["ece"] < validation["ece_before"]
    before = expected_calibration_error(expit(np.float64(seen.logits)), seen.labels)
    assert validation["ece_before"] == pytest.approx(before, abs=0.01)
    assert {"ece", "ece_before", "brier", "brier_before"} <= set(test)


def test_evaluation_of_the_folder_gives_the_metrics_of_its_card(fitted, data, split):
    folder, card = fitted
    metrics = evaluate(folder, data, split=split, device="cpu").as_metrics()
    assert metrics.items() <= card.metrics["test"].items()


def test_quality_is_the_logit_over_the_temperature(fitted, unsure, data):
    model, plain = (load_model(folder) for folder in (fitted[0], unsure))
    assert plain.card.temperature == 1
    frames = np.random.default_rng(0).integers(255, size=(9, 42, 56), dtype=np.uint8)
    (found,) = FramePredictor(classifier=model, device="cpu", batch_size=9).predict(frames)
    (bare,) = FramePredictor(classifier=plain, device="cpu", batch_size=9).predict(frames)
    assert (found.logits == bare.logits).all()
    assert found.quality == pytest.approx(expit(bare.logits / model.card.temperature), abs=1e-6)
    assert bare.quality == pytest.approx(expit(bare.logits), abs=1e-6)


def test_a_calibrated_model_is_a_new_folder_with_the_same_weights_and_decisions(
    unsure, data, split, tmp_path
):
    out = tmp_path / "calibrated"
    card = calibrate(unsure, data, out, split=split, device="cpu", command="as shown")
    assert load_card(out) == card
    assert card.parent == model_hash(unsure) != model_hash(out)
    for path in unsure.glob("*.safetensors"):
        assert (out / path.name).read_bytes() == path.read_bytes()
    before, after = (evaluate(m, data, device="cpu") for m in (unsure, out))
    assert [one.decision for one in before.outcomes] == [one.decision for one in after.outcomes]
    assert card.temperature != 1
    assert card.quality_threshold != 0.6
    assert logit(card.quality_threshold) * card.temperature == pytest.approx(logit(0.6))
    metrics = card.metrics["calibration"]
    assert metrics["ece"] < metrics["ece_before"]
    assert metrics["temperature_before"] == 1
    calibrated_on = card.training["calibrated_on"]
    assert calibrated_on["what"] == "the validation part of the list"
    assert (calibrated_on["learnt_from"], calibrated_on["chosen_by"]) == (0.0, 1.0)
    assert len(card.training["calibrated_on"]["data_hash"]) == 64
    assert card.training["started_from"] == load_card(unsure).training
    assert card.training_data == load_card(unsure).training_data
    assert card.name.endswith(", calibrated")


def test_calibrating_twice_is_calibrating_once(unsure, data, split, tmp_path):
    first = calibrate(unsure, data, tmp_path / "a", split=split, device="cpu")
    again = calibrate(tmp_path / "a", data, tmp_path / "b", split=split, device="cpu")
    assert again.temperature == first.temperature
    assert again.quality_threshold == pytest.approx(first.quality_threshold)
    assert again.name == first.name


def test_a_threshold_that_no_float32_could_keep_is_refused(unsure, data, split, tmp_path):
    strict = load_card(unsure).model_copy(update={"quality_threshold": 1 - 1e-9})
    save_with_card(unsure, tmp_path / "strict", strict)
    with pytest.raises(TrainingError, match="too near 1 to tell frames apart"):
        calibrate(tmp_path / "strict", data, tmp_path / "out", split=split, device="cpu")
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_and_a_segmenter_has_no_temperature(
    fitted, tiny_models, data, tmp_path
):
    with pytest.raises(TrainingError, match="exists already"):
        calibrate(fitted[0], data, fitted[0])
    with pytest.raises(TrainingError, match="calibration is of frame quality"):
        calibrate(tiny_models["seg"], data, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@settings(max_examples=25)
@given(st.floats(0.3, 8))
def test_the_temperature_found_is_the_factor_by_which_logits_are_too_large(factor):
    plain = find_temperature(judged(*synthetic(2.0)))
    logits, labels = synthetic(2.0 * factor)
    assert fit_temperature(logits, labels) == pytest.approx(factor * plain, rel=1e-3)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1], "told apart without a fault"),
        ([2.0, 1.0, -1.0, -2.0], [0, 0, 1, 1], "or not at all"),
        ([1.0, 2.0], [1, 1], "one kind only"),
        (*synthetic(0.02, lean=0.05), "no temperature calibrates these scores better than 1"),
    ],
)
def test_frames_that_no_temperature_fits_are_refused(logits, labels, message):
    with pytest.raises(TrainingError, match=message):
        find_temperature(judged(logits, labels))


def test_a_fit_that_cannot_be_calibrated_says_why_and_keeps_1(data, tmp_path):
    settings = tiny_settings(
        "cls", strategy="linear", learning_rate=1e-9, validation_share=0.3, test_share=0.5
    )
    card = fit(data, tmp_path / "m", settings)
    assert card.temperature == 1
    assert card.training["calibration"].startswith("none: ")
    assert card.metrics["validation"]["ece"] == card.metrics["validation"]["ece_before"]


def test_calibrate_and_evaluate_by_commands(unsure, data, split, tmp_path, command):
    out, picture = tmp_path / "new", tmp_path / "pictures" / "reliability.png"
    on = ["--data", data, "--split", split, "--device", "cpu"]
    code, output, err = command("calibrate", "--model", unsure, *on, "--out", out)
    assert code == 0, err
    assert json.loads(output)["metrics"]["temperature"] != 1
    assert load_card(out).training["command"].startswith("fetal-iqa-train calibrate --model")
    code, output, err = command("evaluate", "--model", out, *on, "--reliability", picture)
    assert code == 0, err
    metrics = json.loads(output)
    assert {"ece", "brier"} <= set(metrics)
    assert metrics["frames"] == 60
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_reliability_diagram_is_of_classifiers(tiny_models, data, tmp_path, command):
    code, _, err = command(
        "evaluate", "--model", tiny_models["seg"], "--data", data, "--reliability", tmp_path / "r"
    )
    assert code == 1
    assert "--reliability is of frame quality" in err


def test_a_segmenter_has_no_calibration_metrics(tiny_models, data, split):
    judged = evaluate(tiny_models["seg"], data, split=split, device="cpu")
    assert not len(judged.logits)
    assert not {"ece", "brier"} & set(judged.metrics)
