"""The rows of one table of planes are trained alike, whichever of them are run now."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fetal_iqa_training.data.planes import PlaneImage
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.experiments.planes.encoders import Candidate
from fetal_iqa_training.experiments.planes.learning import TrainingOptions
from fetal_iqa_training.experiments.planes.plan import PROCEDURE, PlanesPlan
from fetal_iqa_training.experiments.planes.report import planes_markdown
from fetal_iqa_training.experiments.planes.results import FoldResult, read_rows


def candidate(name):
    def load():
        raise AssertionError("nothing is run")

    return Candidate(name, "pretrained", f"weights of {name}", load)


@pytest.fixture
def plan(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    images = (PlaneImage(tmp_path / "a.png", "a", "brain"),)
    return PlanesPlan(images, (), tmp_path / "out", TrainingOptions())


def finished(plan, name, setting="full", fold=0, **changes):
    """Write what a job of this plan would, but for some of what decides it."""
    made_with = plan.made_with(candidate(name), setting) | changes
    made_with = {key: value for key, value in made_with.items() if value is not None}
    result = FoldResult(made_with=made_with, f1_in=0.5, confusion_in={}, confusion_out={})
    path = plan.file_of(name, setting, fold)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(result.model_dump_json())


OTHERS = [("epochs", 3, "epochs"), ("batch_size", 8, "batch size"), ("learning_rate", 1e-6, "rate")]


@pytest.mark.parametrize(("option", "value", "named"), OTHERS)
def test_a_row_that_is_not_run_now_was_trained_as_those_that_are(plan, option, value, named):
    finished(plan, "resnet-demo", **{option: value})
    with pytest.raises(TrainingError, match=rf"full-fold-1.json: .* {named} than requested"):
        read_rows(plan, [candidate("swin-demo")])
    alike = replace(plan, options=replace(plan.options, **{option: value}))
    (row,) = read_rows(alike, [candidate("swin-demo")])
    assert (row.encoder, row.setting) == ("resnet-demo", "full")


@pytest.mark.parametrize(("option", "value", "named"), OTHERS)
def test_a_job_that_trains_nothing_takes_rows_as_they_are_but_no_mix(plan, option, value, named):
    linear = replace(plan, settings=("linear",))
    for encoder in ("resnet-demo", "sononet16"):
        finished(plan, encoder, **{option: value})
    assert len(read_rows(linear, [candidate("swin-demo")])) == 2
    finished(plan, "swin-demo")
    with pytest.raises(TrainingError, match=rf"{named} than .*full-fold-1.json; move it away"):
        read_rows(linear, [candidate("swin-demo")])


def test_the_folds_of_a_row_that_is_not_run_now_started_alike(plan):
    finished(plan, "resnet-demo", "linear")
    finished(plan, "resnet-demo", "linear", fold=1, encoder="others")
    with pytest.raises(TrainingError, match=r"linear-fold-2.json: was made with other weights"):
        read_rows(plan, [candidate("swin-demo")])


@pytest.mark.parametrize("settings", [("full",), ("linear",)])
@pytest.mark.parametrize("named", ["resnet-demo", "swin-demo"])
def test_what_an_earlier_version_trained_is_refused(plan, named, settings):
    finished(plan, "resnet-demo", **{PROCEDURE: None})
    with pytest.raises(TrainingError, match="trained by another version of the program"):
        read_rows(replace(plan, settings=settings), [candidate(named)])


def test_the_table_says_how_its_rows_were_trained(plan):
    plan = replace(plan, options=TrainingOptions(1, 16, 1e-5, balanced=True))
    finished(plan, "resnet-demo")
    text = planes_markdown(plan, read_rows(plan, [candidate("resnet-demo")]), [], "command")
    assert "learning rate 1e-05 and ten times that for the head, batches of 16, 1 epoch," in text
    assert "Rare planes count more" in text
