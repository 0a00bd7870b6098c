import json
import pathlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fetal_iqa_models import (
    LoraSettings,
    ModelError,
    encoder_spec,
    load_card,
    load_encoder,
    load_model,
    model_hash,
    save_with_card,
)
from fetal_iqa_training.data.labelled_frames import acouslic_frames
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.evaluate import evaluate, judge
from fetal_iqa_training.fitting.basis import basis, basis_of
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.settings import FitSettings
from napari_fetal_iqa.io.acouslic import list_cases, write_case
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import disc_volume, tiny_settings

FEW = {"test_share": 0.5, "validation_share": 0.3}
"""Leaves two subjects to train on: an epoch is four steps."""


def weights(folder):
    return {
        f"{path.name}/{name}": tensor
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


@pytest.fixture(scope="module")
def fitted(data, tmp_path_factory):
    """A tiny segmenter that has learnt to outline discs, its card, and what it reported."""
    folder = tmp_path_factory.mktemp("models") / "seg"
    events = []
    settings = tiny_settings("seg", epochs=6, schedule="cosine", gradient_clip=1.0, head_rate=5.0)
    card = fit(data, folder, settings, demo=True, command="as shown", report=events.append)
    return folder, card, events


@pytest.mark.parametrize("task", ["cls", "seg"])
def test_a_training_that_does_not_converge_makes_no_model(data, tmp_path, task):
    with pytest.raises(TrainingError, match="choose a learning rate below 1e\\+30"):
        fit(data, tmp_path / "model", tiny_settings(task, learning_rate=1e30, **FEW))
    assert not (tmp_path / "model").exists()


def test_a_segmenter_learns_to_outline(fitted):
    _, card, _ = fitted
    assert card.metrics["test"]["dice"] > 0.7


def test_the_card_says_how_the_model_was_made_and_how_well_it_does(fitted, data):
    folder, card, _ = fitted
    assert load_card(folder).training == card.training
    assert (card.task, card.encoder, card.encoder_weights) == ("seg", "fetalclip-tiny", "own")
    assert card.demo
    assert card.training["command"] == "as shown"
    assert card.training["settings"]["epochs"] == 6
    assert (card.training["frames"], card.training["positives"]) == (210, 105)
    assert card.metrics["test"]["frames"] == 60
    assert set(card.metrics["validation"]) >= {"loss", "f1", "dice"}
    assert len(card.training_data) == 64
    assert card.tool_version


def test_progress_is_reported_from_reading_to_judging(fitted):
    _, _, events = fitted
    assert [e.done for e in events if e.event == "reading"] == [*range(1, 36), *range(1, 6)]
    steps = [e for e in events if e.event == "step"]
    assert [(e.done, e.total) for e in steps] == [(n, 84) for n in range(1, 85)]
    assert np.mean([e.loss for e in steps[-10:]]) < np.mean([e.loss for e in steps[:10]]) - 0.05
    assert len([e for e in events if e.event == "validation"]) == 6
    assert events[-1].event == "evaluating"


def test_the_kept_weights_are_those_of_the_lowest_validation_loss(fitted):
    _, card, events = fitted
    losses = [e.loss for e in events if e.event == "validation"]
    assert card.metrics["validation"]["loss"] == pytest.approx(min(losses), abs=1e-4)


def test_the_fitted_folder_is_a_model_and_nothing_else_is_left(fitted):
    folder, _, _ = fitted
    model = load_model(folder)
    logits = model(torch.zeros(1, 3, 56, 56))
    assert logits.shape == (1, 1, 56, 56)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_evaluation_of_the_folder_judges_all_annotated_frames(fitted, data):
    folder, _, _ = fitted
    judged = evaluate(folder, data, part="all", device="cpu")
    positives = sum(int(s.positive.sum()) for s in acouslic_frames(list_cases(data)))
    assert (judged.frames, judged.positives) == (300, positives)
    assert judged.metrics["dice"] > 0.7
    assert judged.metrics["circumference_error_mm"] < 10
    assert set(judged.metrics) == {
        *("accuracy", "f1", "precision", "recall", "specificity", "average_precision"),
        *("dice", "dice_pooled", "circumference_error_mm", "circumference_error_percent"),
        "circumference_measured",
    }
    assert set(judged.curve) == {"threshold", "precision", "recall"}


def test_the_circumference_is_judged_in_percent_where_nobody_knows_the_scale(fitted, data):
    network = load_model(fitted[0])
    scaled = list(acouslic_frames(list_cases(data)[:2]))
    unscaled = [replace(source, spacing_mm=None) for source in scaled]
    known, unknown = (judge(network, each, device="cpu").metrics for each in (scaled, unscaled))
    assert "circumference_error_mm" not in unknown
    assert 0 < known["circumference_error_percent"] < 20
    assert unknown["circumference_error_percent"] == pytest.approx(
        known["circumference_error_percent"], rel=0.05
    )


@pytest.mark.parametrize("task", ["cls", "seg"])
def test_the_same_settings_give_the_same_weights_and_another_seed_others(data, tmp_path, task):
    for name, seed, workers in (("a", 1, 0), ("b", 1, 1), ("c", 2, 0)):
        fit(data, tmp_path / name, tiny_settings(task, seed=seed, workers=workers, copies=1, **FEW))
    first, again, other = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_the_split_seed_alone_decides_which_subjects_are_trained_on(data, tmp_path):
    def training_data(seed, split_seed):
        settings = tiny_settings("cls", strategy="linear", seed=seed, split_seed=split_seed, **FEW)
        folder = tmp_path / f"{seed}-{split_seed}"
        card = fit(data, folder, settings)
        assert basis_of(card) == basis(data, settings)
        return card.training_data

    by_seven = training_data(1, 7)
    assert by_seven == training_data(2, 7) == training_data(7, None)
    assert by_seven != training_data(1, None)


class KilledError(Exception):
    """Ends a fit in this process as a kill would, but for what the process itself forgets."""


def cut_off(data, out, settings, step, **more):
    """Begin a fit and end it after a training step."""

    def kill(event):
        if event.event == "step" and event.done == step:
            raise KilledError

    with pytest.raises(KilledError):
        fit(data, out, settings, report=kill, **more)
    assert not out.exists()


def steps_of(data, out, settings, **more):
    """Fit, and give the numbers of the training steps that it took."""
    events = []
    fit(data, out, settings, report=events.append, **more)
    return [e.done for e in events if e.event == "step"]


def tiny_weights(path, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        save_file(load_encoder("fetalclip-tiny").trunk.state_dict(), path)
    return path


def test_a_run_that_was_cut_off_goes_on_with_its_last_epoch(data, tmp_path):
    settings = tiny_settings("cls", epochs=2)
    cut_off(data, tmp_path / "model", settings, 20)
    assert steps_of(data, tmp_path / "model", settings) == list(range(15, 29))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(data, tmp_path):
    lora = LoraSettings(rank=2, alpha=4, dropout=0.5)
    settings = tiny_settings("seg", epochs=2, strategy="lora", lora=lora, head_rate=5.0, **FEW)
    events = []
    fit(data, tmp_path / "whole", settings, report=events.append)
    first, second = (e.loss for e in events if e.event == "validation")
    assert second < first  # so the weights are those of the epoch that is gone on with
    cut_off(data, tmp_path / "cut", settings, 6)
    assert steps_of(data, tmp_path / "cut", settings) == [5, 6, 7, 8]
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_cut_off_run_with_other_settings_starts_anew(data, tmp_path):
    cut_off(data, tmp_path / "model", tiny_settings("cls", epochs=2), 15)
    assert steps_of(data, tmp_path / "model", tiny_settings("cls", seed=5)) == list(range(1, 15))


def test_a_cut_off_run_whose_data_changed_starts_anew(data, tmp_path):
    """Else a case that taught before the cut could judge after it."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    settings = tiny_settings("cls", epochs=2, **FEW)
    cut_off(folder, tmp_path / "model", settings, 6)
    case = list_cases(folder)[0]
    frames, masks = disc_volume(99)
    write_case(folder, "new", SweepVolume(frames, (1.0, 1.0)), masks, case.ac_mm, "new-subject")
    assert steps_of(folder, tmp_path / "model", settings)[0] == 1


def test_a_cut_off_run_with_other_weights_starts_anew(data, tmp_path):
    settings = tiny_settings("cls", epochs=2)
    first, other = (tiny_weights(tmp_path / f"{n}.safetensors", n) for n in (1, 2))
    cut_off(data, tmp_path / "model", settings, 15, weights=first)
    assert steps_of(data, tmp_path / "model", settings, weights=other) == list(range(1, 29))


def test_a_cut_off_run_from_another_model_starts_anew(data, tmp_path, fitted):
    settings = tiny_settings("cls", epochs=2, strategy="linear")
    cut_off(data, tmp_path / "model", settings, 15)
    again = steps_of(data, tmp_path / "model", settings, start_from=fitted[0])
    assert again == list(range(1, 29))


@pytest.mark.parametrize("which", ["last.ckpt", "best.ckpt"])
def test_a_cut_off_run_whose_checkpoint_is_damaged_says_so_and_starts_anew(
    data, tmp_path, caplog, which
):
    settings = tiny_settings("cls", epochs=2, **FEW)
    cut_off(data, tmp_path / "model", settings, 6)
    checkpoint = tmp_path / ".model.training" / which
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2])
    assert steps_of(data, tmp_path / "model", settings) == list(range(1, 9))
    assert f"{which}: damaged, so the training starts anew" in caplog.text


class RunsCode:
    """What a pickle that runs code on loading is made of."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (pathlib.Path.touch, (self.path,))


def test_code_in_a_checkpoint_is_never_run(data, tmp_path):
    settings = tiny_settings("cls", epochs=2, **FEW)
    cut_off(data, tmp_path / "model", settings, 6)
    checkpoint = tmp_path / ".model.training" / "last.ckpt"
    known = torch.load(checkpoint, weights_only=True)
    torch.save({**known, "extra": RunsCode(tmp_path / "it-ran")}, checkpoint)
    assert steps_of(data, tmp_path / "model", settings) == list(range(1, 9))
    assert not (tmp_path / "it-ran").exists()


def test_lora_and_linear_leave_the_encoder_alone(data, tmp_path):
    for strategy in ("linear", "lora"):
        fit(
            data,
            tmp_path / strategy,
            tiny_settings("cls", strategy=strategy, lora=LoraSettings(rank=2, alpha=4)),
        )
    linear, lora = weights(tmp_path / "linear"), weights(tmp_path / "lora")
    of_encoder = [name for name in linear if name.startswith("encoder")]
    assert of_encoder
    assert all(torch.equal(linear[name], lora[name]) for name in of_encoder)
    assert any(name.startswith("adapter_model") for name in lora)
    assert json.loads((tmp_path / "lora" / "model.json").read_text())["lora"]["rank"] == 2


def test_a_head_alone_learns_what_it_would_if_the_encoder_saw_every_frame_anew(
    data, tmp_path, monkeypatch
):
    settings = tiny_settings("cls", strategy="linear", epochs=2, schedule="cosine", **FEW)
    card = fit(data, tmp_path / "kept", settings)
    monkeypatch.setattr(
        "fetal_iqa_training.fitting.fit_training.has_frozen_encoder", lambda network: False
    )
    anew = fit(data, tmp_path / "anew", settings)
    kept, expected = weights(tmp_path / "kept"), weights(tmp_path / "anew")
    assert all(torch.allclose(kept[name], expected[name], atol=1e-6) for name in expected)
    assert card.metrics["validation"] == anew.metrics["validation"]


def test_a_frozen_encoder_sees_each_frame_and_each_copy_once_also_after_a_cut(data, tmp_path):
    settings = tiny_settings("cls", strategy="linear", epochs=2, copies=1, **FEW)
    events = []

    def cut_in_the_second_epoch(event):
        events.append(event)
        if event.event == "step" and event.done == 10:
            raise KilledError

    with pytest.raises(KilledError):
        fit(data, tmp_path / "model", settings, report=cut_in_the_second_epoch)
    encoded = [(e.done, e.total) for e in events if e.event == "encoding"]
    fit(data, tmp_path / "model", settings, report=events.append)
    assert [(e.done, e.total) for e in events if e.event == "encoding"] == encoded
    trained_on = load_card(tmp_path / "model").training["frames"]
    assert next(total for done, total in encoded if done == total) == 2 * trained_on


def test_half_precision_halves_the_files(data, tmp_path, fitted):
    fit(data, tmp_path / "half", tiny_settings("seg"), half_precision=True)
    size = sum(path.stat().st_size for path in (tmp_path / "half").glob("*.safetensors"))
    whole = sum(path.stat().st_size for path in fitted[0].glob("*.safetensors"))
    assert size == pytest.approx(whole / 2, rel=0.05)


def test_a_folder_that_exists_is_never_overwritten(data, fitted):
    with pytest.raises(TrainingError, match="exists already"):
        fit(data, fitted[0], tiny_settings("seg"))


def test_an_unknown_encoder_is_named(data, tmp_path):
    with pytest.raises(ModelError, match="no encoder is called 'resnet9000'"):
        fit(data, tmp_path / "m", tiny_settings("cls", encoder="resnet9000"))


def test_masks_cannot_be_learnt_without_any(tmp_path):
    for number in range(4):
        frames, _ = disc_volume(number)
        sweep = SweepVolume(frames, (1.0, 1.0))
        write_case(tmp_path / "d", f"c{number}", sweep, frames * 0, [90.0], f"s{number}")
    with pytest.raises(TrainingError, match="no training frame shows an abdomen"):
        fit(tmp_path / "d", tmp_path / "m", tiny_settings("seg"))
    assert not (tmp_path / "m").exists()


def test_the_papers_recipe_is_the_default():
    settings = FitSettings(task="cls", encoder="fetalclip")
    assert (settings.learning_rate, settings.epochs, settings.batch_size) == (3e-4, 5, 32)
    assert (settings.copies, settings.validation_share, settings.test_share) == (2, 0.1, 0.2)
    assert (settings.lora.rank, settings.lora.alpha, settings.schedule) == (8, 16, "constant")
    assert encoder_spec(settings.encoder).lora_targets


def test_a_fit_may_start_from_the_encoder_of_another_model(data, tmp_path, fitted):
    settings = tiny_settings("cls", strategy="linear")
    card = fit(data, tmp_path / "cls", settings, start_from=fitted[0])
    assert card.parent == model_hash(fitted[0])
    before, after = weights(fitted[0]), weights(tmp_path / "cls")
    of_encoder = [name for name in after if name.startswith("encoder")]
    assert all(torch.equal(before[name], after[name]) for name in of_encoder)


def test_a_fit_may_go_on_from_a_model_of_the_same_task(data, tmp_path, fitted):
    card = fit(
        data, tmp_path / "seg", tiny_settings("seg", learning_rate=1e-9), start_from=fitted[0]
    )
    assert card.metrics["test"]["dice"] == pytest.approx(
        fitted[1].metrics["test"]["dice"], abs=0.02
    )
    assert card.training["started_from"] == fitted[1].training


def test_a_child_has_the_licence_of_its_parent(data, tmp_path, fitted):
    parent = load_model(fitted[0])
    save_with_card(
        fitted[0], tmp_path / "parent", parent.card.model_copy(update={"licence": "Apache-2.0"})
    )
    card = fit(data, tmp_path / "seg", tiny_settings("seg", **FEW), start_from=tmp_path / "parent")
    assert card.licence == "Apache-2.0"


@pytest.mark.parametrize("strategy", ["lora", "full"])
def test_what_taught_the_parent_and_judges_the_child_is_said(data, tmp_path, fitted, strategy):
    settings = tiny_settings("seg", seed=3, strategy=strategy, test_share=0.5, epochs=1)
    card = fit(data, tmp_path / "child", settings, start_from=fitted[0])
    judged_on = card.metrics["test"]["judged_on"]
    assert judged_on["learnt_from"] + judged_on["chosen_by"] > 0
    assert "judged_on" not in fitted[1].metrics["test"]


def test_the_encoder_of_another_architecture_is_refused(data, tmp_path, fitted):
    settings = tiny_settings("cls", encoder="swin-demo")
    with pytest.raises(TrainingError, match="has the encoder fetalclip-tiny, not a plain"):
        fit(data, tmp_path / "cls", settings, start_from=fitted[0])


@pytest.mark.parametrize("augmentation", ["paper", "cheap-probe"])
def test_an_epoch_may_be_a_number_of_balanced_samples(data, tmp_path, augmentation):
    changes = {"fresh_copies": True, "balanced": 12, "augmentation": augmentation, "epochs": 2}
    settings = tiny_settings("seg", batch_size=4, **changes, **FEW)
    events = []
    card = fit(data, tmp_path / "model", settings, report=events.append)
    assert max(event.total for event in events if event.event == "step") == 2 * 3
    assert card.training["settings"]["balanced"] == 12


@pytest.mark.parametrize("changes", [{"balanced": 12}, {"augmentation": "cheap-probe"}])
def test_what_is_made_anew_in_each_epoch_says_so(changes):
    with pytest.raises(ValueError, match="add --fresh-copies"):
        tiny_settings("seg", **changes)
