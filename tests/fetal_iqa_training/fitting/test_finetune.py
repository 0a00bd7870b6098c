import subprocess
import sys

import numpy as np
import pytest
import scipy
import torch
from safetensors.torch import load_file

from fetal_iqa_models import (
    FrameClassifier,
    FramePredictor,
    ModelCard,
    load_card,
    load_encoder,
    load_model,
    model_hash,
    save_model,
    save_with_card,
)
from fetal_iqa_training.data.frame_set import Sample
from fetal_iqa_training.data.hold_out import is_held_out
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.fitting import finetune as finetuning
from fetal_iqa_training.fitting.finetune import _kinds, augmentation_of, finetune
from fetal_iqa_training.fitting.finetune_context import EarlierData
from fetal_iqa_training.fitting.rehearsed import what_is_rehearsed
from fetal_iqa_training.fitting.trainer import Schedule
from fetal_iqa_training.settings import PRESETS, FinetuneSettings, preset_of
from fetal_iqa_training.transforms.augmentation import PAPER
from napari_fetal_iqa.errors import SweepError
from napari_fetal_iqa.io import read_sweep, write_volume
from napari_fetal_iqa.io.acouslic import write_case
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import correct, disc_volume


def quick(task, **settings):
    few = {"steps": 25, "batch_size": 8, "device": "cpu"}
    return FinetuneSettings(task=task, **PRESETS["quick"] | few | settings)


def weights(folder):
    return {
        f"{path.name}/{name}": tensor
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


def test_a_classifier_learns_what_the_expert_says_against_what_it_knew(bases, tmp_path):
    frames, masks = disc_volume(51)
    turned = np.where((masks > 0).any(axis=(1, 2))[:, None, None], 0, 1).astype(np.uint8)
    store = correct(tmp_path, frames, turned * np.ones_like(masks), range(12))
    card = finetune([store], bases / "cls", tmp_path / "child", quick("cls", steps=80))
    assert card.metrics["child"]["corrections"]["f1"] > 0.9
    assert card.metrics["parent"]["corrections"]["f1"] < 0.8


def test_a_segmenter_outlines_corrected_frames_better(bases, tmp_path):
    frames, masks = disc_volume(52)
    negative = 255 - frames
    store = correct(tmp_path, negative, masks, range(12))
    card = finetune([store], bases / "seg", tmp_path / "child", quick("seg", steps=60))
    before = card.metrics["parent"]["corrections"]["dice"]
    assert card.metrics["child"]["corrections"]["dice"] > before + 0.3
    child = FramePredictor(segmenter=load_model(tmp_path / "child"), device="cpu")
    found = next(child.predict(negative, [3])).masks[0]
    truth = masks[3] > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > before


def test_the_childs_card_names_its_parent_data_and_settings(bases, corrected, tmp_path):
    store, _, _ = corrected
    card = finetune([store], bases / "seg", tmp_path / "child", quick("seg"), command="so")
    assert load_card(tmp_path / "child") == card
    assert card.parent == model_hash(bases / "seg")
    assert card.training_data != load_card(bases / "seg").training_data
    assert card.training["command"] == "so"
    assert card.training["settings"]["seed"] == 0
    counts = ("sweeps", "frames", "positives", "unknown_subjects")
    assert {k: card.training[k] for k in counts} == {
        "sweeps": 1,
        "frames": 12,
        "positives": 6,
        "unknown_subjects": 1,
    }
    assert card.metrics["note"].startswith("no hold-out: one subject in five, or sweep")
    assert (card.lora.rank, card.lora.alpha) == (8, 16)


def test_only_adapter_and_head_are_trained(bases, corrected, tmp_path):
    store, _, _ = corrected
    finetune([store], bases / "seg", tmp_path / "child", quick("seg"))
    parent, child = weights(bases / "seg"), weights(tmp_path / "child")
    of_encoder = [name for name in parent if name.startswith("encoder")]
    assert all(torch.equal(parent[name], child[name]) for name in of_encoder)
    adapter = [name for name in child if name.startswith("adapter_model") and "lora_B" in name]
    assert adapter
    assert all(child[name].any() for name in adapter)
    head = [name for name in parent if name.startswith("head") and name.endswith("weight")]
    assert all(not torch.equal(parent[name], child[name]) for name in head)


def test_the_same_command_gives_the_same_weights_and_another_seed_others(
    bases, corrected, tmp_path
):
    store, _, _ = corrected
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        finetune([store], bases / "seg", tmp_path / name, quick("seg", seed=seed, steps=5))
    first, again, other = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_base_with_an_adapter_goes_on_with_it(bases, corrected, tmp_path):
    store, _, _ = corrected
    finetune([store], bases / "cls", tmp_path / "one", quick("cls", steps=5))
    card = finetune([store], tmp_path / "one", tmp_path / "two", quick("cls", steps=5))
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    assert card.parent == model_hash(tmp_path / "one")
    assert any(
        not torch.equal(one[name], two[name]) for name in one if name.startswith("adapter_model")
    )


def test_many_sweeps_are_judged_on_a_hold_out_that_was_not_trained_on(bases, tmp_path):
    store, _ = several(tmp_path, held=2, trained_on=3)
    card = finetune([store], bases / "seg", tmp_path / "child", quick("seg", steps=5))
    assert card.training["sweeps"] == 3
    assert card.training["frames"] == 36
    for side in ("parent", "child"):
        assert card.metrics[side]["hold_out"]["frames"] == 24
        assert "dice" in card.metrics[side]["hold_out"]
    assert "note" not in card.metrics
    assert len(card.metrics["sweeps"]) == 2
    assert card.metrics["intervals"]["hold_out"] == {}
    assert card.metrics["units"]["hold_out"] == {"unit": "sweeps", "count": 2, "enough": False}
    assert "circumference_error_mm" in card.metrics["child"]["hold_out"]


def test_a_grandchild_is_never_judged_by_what_taught_its_parent(bases, tmp_path):
    """The leak over generations: what was held out too early, for there was too little of it."""
    store, _ = several(tmp_path, held=1, trained_on=1, frames=7)  # three with a disc
    child = finetune([store], bases / "seg", tmp_path / "child", quick("seg", steps=1))
    assert child.training["sweeps"] == 1
    assert "hold_out" not in child.metrics["child"]
    base = load_card(bases / "seg")
    assert set(base.taught.learnt) < set(child.taught.learnt)
    store, identities = several(tmp_path, held=2, trained_on=2)
    learnt = [one for one in identities if child.taught.learnt_from([("sweep", one)])]
    assert not any(map(is_held_out, learnt))
    grandchild = finetune([store], tmp_path / "child", tmp_path / "two", quick("seg", steps=1))
    assert set(child.taught.learnt) < set(grandchild.taught.learnt)
    judged = grandchild.metrics["child"]["hold_out"]
    assert judged["frames"] == 24
    # as an earlier version did: a sweep that is held out taught the child all the same
    held = next(one for one in identities if is_held_out(one))
    leaked = child.model_copy(update={"taught": child.taught.having([("sweep", held)])})
    save_with_card(tmp_path / "child", tmp_path / "leaked", leaked)
    other = finetune([store], tmp_path / "leaked", tmp_path / "three", quick("seg", steps=1))
    assert other.metrics["child"]["hold_out"]["frames"] == 12
    assert other.training["set_aside"] == 1
    older = child.model_copy(update={"taught": None})
    save_with_card(tmp_path / "child", tmp_path / "older", older)
    unknown = finetune([store], tmp_path / "older", tmp_path / "four", quick("seg", steps=1))
    assert "hold_out" not in unknown.metrics["child"]
    assert "fine-tuned by an earlier version" in unknown.metrics["note"]
    assert not unknown.taught.complete


def test_all_sweeps_that_are_gone_are_named_at_once(bases, tmp_path):
    store, identities = several(tmp_path, trained_on=2)
    for path in tmp_path.glob("sweep*.mha"):
        path.unlink()
    with pytest.raises(SweepError, match="2 sweeps are not found") as error:
        finetune([store], bases / "seg", tmp_path / "child", quick("seg"))
    assert all(identity[:8] in str(error.value) for identity in identities)


def test_the_papers_recipe_takes_every_frame_and_its_copies(bases, corrected, tmp_path):
    store, _, _ = corrected
    events = []
    settings = FinetuneSettings(task="cls", epochs=2, batch_size=9, device="cpu")
    finetune([store], bases / "cls", tmp_path / "child", settings, report=events.append)
    assert len([e for e in events if e.event == "step"]) == 2 * 4


@pytest.mark.parametrize("task", ["cls", "seg"])
def test_the_preset_paper_augments_as_the_paper_does(task):
    of = {
        preset: augmentation_of(FinetuneSettings(task=task, **preset_of(preset, task)))
        for preset in PRESETS
    }
    assert of["paper"] == PAPER
    assert of["quick"].jitter_probability == of["careful"].jitter_probability == 1.0


def test_a_convolutional_base_is_trained_in_full(corrected, tmp_path):
    network = FrameClassifier(load_encoder("efficientnet_b0"))
    spec = network.encoder.spec
    card = ModelCard(
        name="b0", task="cls", encoder=spec.name, encoder_weights="own", image_size=spec.image_size
    )
    save_model(network, tmp_path / "base", card)
    store, _, _ = corrected
    settings = quick("cls", steps=1, batch_size=2)
    child = finetune([store], tmp_path / "base", tmp_path / "child", settings)
    assert child.lora is None
    assert child.encoder_weights == "own"
    before, after = weights(tmp_path / "base"), weights(tmp_path / "child")
    stem = "encoder.safetensors/conv_stem.weight"
    assert not torch.equal(before[stem], after[stem])


def test_a_base_of_the_other_task_is_refused(bases, corrected, tmp_path):
    store, _, _ = corrected
    with pytest.raises(TrainingError, match="is a seg model and the task is cls"):
        finetune([store], bases / "seg", tmp_path / "child", quick("cls"))


def test_a_folder_that_exists_is_refused_first_of_all(bases, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(TrainingError, match="taken: exists already"):
        finetune([tmp_path / "no store"], "no base", tmp_path / "taken", quick("cls"))


@pytest.mark.parametrize(
    ("task", "message"), [("cls", "no corrections to learn"), ("seg", "no masks to learn")]
)
def test_a_store_without_corrections_is_refused(bases, tmp_path, task, message):
    frames, masks = disc_volume(0)
    store = correct(tmp_path, frames, masks, [])
    with pytest.raises(TrainingError, match=message):
        finetune([store], bases / task, tmp_path / "child", quick(task))


@pytest.mark.parametrize(
    ("task", "numbers", "message"),
    [
        ("seg", [0, 1, 2], "0 frames with an outlined abdomen: outlines are learnt from 2 or"),
        ("cls", [0, 1, 2], "0 frames with and 3 frames without an abdomen: frame quality"),
        ("cls", [2, 3, 4, 5], "3 frames with and 1 frame without an abdomen: frame quality"),
    ],
)
def test_too_few_frames_of_a_kind_are_refused_with_how_many_it_takes(
    bases, tmp_path, task, numbers, message
):
    frames, masks = disc_volume(0)
    store = correct(tmp_path, frames, masks, numbers)
    with pytest.raises(TrainingError, match=message):
        finetune([store], bases / task, tmp_path / "child", quick(task))


def test_a_sweep_that_is_gone_is_named(bases, corrected, tmp_path):
    store, _, _ = corrected
    (tmp_path / "sweep.mha").rename(tmp_path / "elsewhere.bin")
    with pytest.raises(SweepError, match=r"sweep\.mha: is gone"):
        finetune([store], bases / "seg", tmp_path / "child", quick("seg"))


class KilledError(Exception):
    pass


def kill_at(step):
    def kill(event):
        if event.event == "step" and event.done == step:
            raise KilledError

    return kill


def test_a_run_that_is_cut_off_leaves_no_model_and_goes_on_to_the_same_one(
    bases, corrected, tmp_path
):
    store, _, _ = corrected
    settings = quick("seg", steps=40)
    finetune([store], bases / "seg", tmp_path / "whole", settings)
    with pytest.raises(KilledError):
        finetune([store], bases / "seg", tmp_path / "child", settings, report=kill_at(33))
    assert not (tmp_path / "child").exists()
    events = []
    finetune([store], bases / "seg", tmp_path / "child", settings, report=events.append)
    assert min(e.done for e in events if e.event == "step") == 31
    whole, child = weights(tmp_path / "whole"), weights(tmp_path / "child")
    assert all(torch.equal(whole[name], child[name]) for name in whole)
    assert not list(tmp_path.glob(".child*"))


def test_a_stop_file_ends_it_early_and_keeps_what_was_learnt(bases, corrected, tmp_path):
    store, _, _ = corrected
    events = []

    def report(event):
        events.append(event)
        if event.event == "step" and event.done == 4:
            (tmp_path / "stop").touch()

    schedule = Schedule(stop_file=tmp_path / "stop")
    settings = quick("seg", steps=200)
    card = finetune(
        [store], bases / "seg", tmp_path / "child", settings, schedule=schedule, report=report
    )
    assert max(e.done for e in events if e.event == "step") < 10
    assert load_card(tmp_path / "child") == card


def several(tmp_path, held=0, trained_on=3, frames=12):
    """Correct some frames of so many sweeps that judge and that train."""
    found, seed = [], 100
    while held or trained_on:
        seed += 1
        volume, masks = disc_volume(seed, n_sweeps=2)
        identity = read_sweep(write_volume(tmp_path / "try.mha", volume, (1.0, 1.0))).identity
        judges = is_held_out(identity)
        if not (held if judges else trained_on):
            continue
        held, trained_on = held - judges, trained_on - (not judges)
        store = correct(tmp_path, volume, masks, range(frames), name=f"sweep{seed}")
        found.append(identity)
    return store, found


def test_patience_keeps_the_best_round_and_ends_early(bases, tmp_path):
    store, _ = several(tmp_path, trained_on=2)
    events = []
    settings = quick("seg", steps=3000, learning_rate=3e-2, schedule="constant", patience=1)
    finetune([store], bases / "seg", tmp_path / "child", settings, report=events.append)
    losses = [e.loss for e in events if e.event == "validation"]
    best = int(np.argmin(losses))
    assert load_card(tmp_path / "child").training["kept_back"] == 12  # the whole of one sweep
    assert len(losses) == best + 2  # one round more, in which the loss did not fall
    again = settings.model_copy(update={"steps": 15 * (best + 1), "patience": 1000})
    finetune([store], bases / "seg", tmp_path / "again", again)
    child, expected = weights(tmp_path / "child"), weights(tmp_path / "again")
    assert all(torch.equal(child[name], expected[name]) for name in expected)


def test_what_is_rehearsed_never_judges_by_whatever_name(bases, corrected, data, renamed, tmp_path):
    store, _, _ = corrected
    for reference in (data, renamed):
        earlier = EarlierData(reference=reference, rehearsal=data)
        with pytest.raises(TrainingError, match="10 of its 10 cases would be rehearsed, too"):
            finetune([store], bases / "seg", tmp_path / "child", quick("seg"), earlier_data=earlier)
    rehearsed = what_is_rehearsed(EarlierData(rehearsal=data), EarlierData(rehearsal=data))
    assert {kind for kind, _ in rehearsed.things} == {"case", "subject", "frames"}
    assert len(rehearsed.frames) == 10 * 5 * 6


def test_rehearsed_frames_are_counted_and_the_reference_shows_what_is_forgotten(
    bases, corrected, data, tmp_path
):
    store, _, _ = corrected
    reference = tmp_path / "reference"
    for number in range(10, 20):
        frames, masks = disc_volume(number)
        sweep = SweepVolume(frames, (1.0, 1.0), name=f"case{number}")
        ac_mm = [100.0] * 5 + [None]
        write_case(reference, f"other{number}", sweep, masks, ac_mm, f"person{number}")
    earlier = EarlierData(reference=reference, rehearsal=data)
    settings = quick("seg", rehearsal=2, rehearse_alike=True)
    card = finetune([store], bases / "seg", tmp_path / "child", settings, earlier_data=earlier)
    assert card.training["rehearsed"] == 2 * 10 * 5 * 6  # as they are, and as the corrected ones
    assert card.training["frames"] == 12
    assert card.metrics["child"]["reference"]["frames"] == 300
    assert "dice" in card.metrics["intervals"]["reference"]
    assert card.metrics["units"]["reference"] == {"unit": "subjects", "count": 10, "enough": True}
    assert card.taught.learnt_from([("case", "case3")])


@pytest.fixture
def training_loaders(monkeypatch):
    """Collects the loaders that the training gets its examples from, and trains nothing."""
    loaders = []
    monkeypatch.setattr(finetuning, "run_training", lambda _, loader, *rest: loaders.append(loader))
    return loaders


def test_earlier_frames_are_rehearsed_in_another_speckle_and_the_new_grey_levels(
    bases, tmp_path, data, training_loaders
):
    frames, masks = disc_volume(50)
    store = correct(tmp_path, frames // 4 + 150, masks, range(12))
    earlier = EarlierData(rehearsal=data)
    settings = quick("seg", rehearsal=2, rehearse_alike=True)
    finetune([store], bases / "seg", tmp_path / "child", settings, earlier_data=earlier)
    dataset, rounded = training_loaders[0].dataset, 2  # resizing rounds
    sweep = 6  # frames
    for number in range(12 + 3, len(dataset), 2 * sweep):
        plain, outline, _ = dataset[number]
        alike, same_outline, _ = dataset[number + sweep]
        assert outline.any()
        assert torch.equal(outline, same_outline)
        inside = (plain > 0) & (alike > 0)
        assert alike[inside].min() >= 150 - rounded
        assert alike[inside].max() <= 255 // 4 + 150 + rounded
        order = scipy.stats.spearmanr(plain[inside], alike[inside]).statistic
        assert order < 0.95  # grey levels alone leave the order as it was


@pytest.mark.parametrize("magnification", [1.0, 1.5])
def test_copies_are_magnified_as_far_as_the_settings_say(
    bases, corrected, tmp_path, training_loaders, magnification
):
    store, _, _ = corrected
    settings = quick("seg", magnification=magnification)
    finetune([store], bases / "seg", tmp_path / "child", settings)
    dataset = training_loaders[0].dataset
    frame = next(n for n in range(12) if dataset[n][1].any())
    area = int(dataset[frame][1].sum())
    areas = [int(dataset[Sample(frame, seed)][1].sum()) / area for seed in range(60)]
    assert max(areas) == pytest.approx(magnification**2, rel=0.15)


def test_rehearsed_frames_have_their_share_of_every_step():
    positive = np.array([True, False, False, True, False, True])  # 3 corrected, 3 old
    learnt = np.arange(3)

    def kinds(rehearsal):
        return [kind.tolist() for kind in _kinds(positive, learnt, 3, rehearsal)]

    assert kinds(0) == [[0], [1, 2]]
    assert kinds(1) == [[0], [1, 2], [3, 4, 5]]
    assert kinds(2) == [[0], [1, 2], [3, 5], [4]]


@pytest.mark.slow
def test_two_processes_make_the_model_that_one_makes(bases, corrected, tmp_path):
    store, _, _ = corrected
    command = [
        *(sys.executable, "-m", "fetal_iqa_training", "finetune", "--corrections", str(store)),
        *("--task", "cls", "--base", str(bases / "cls"), "--steps", "6", "--batch-size", "8"),
        *("--dropout", "0", "--device", "cpu", "--precision", "fp32"),
    ]
    runs = {"one": command, "two": [*command, "--devices", "2"]}
    runs["run"] = [*(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")]
    runs["run"] += command[1:]
    for name, parts in runs.items():
        out = ["--out", str(tmp_path / name)]
        done = subprocess.run([*parts, *out], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    one = weights(tmp_path / "one")
    for other in (weights(tmp_path / "two"), weights(tmp_path / "run")):
        assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)


def test_a_blend_is_between_the_parent_and_what_was_learnt(bases, corrected, tmp_path):
    store, _, _ = corrected
    for name, blend in (("whole", 1.0), ("half", 0.5)):
        settings = quick("seg", steps=5, blend=blend)
        finetune([store], bases / "seg", tmp_path / name, settings)
    parent, whole, half = (
        weights(folder) for folder in (bases / "seg", tmp_path / "whole", tmp_path / "half")
    )
    of_head = [name for name in whole if name.startswith("head")]
    for name in of_head:
        assert torch.allclose(half[name], (parent[name] + whole[name]) / 2, atol=1e-6)
    up = [name for name in whole if "lora_B" in name]
    assert all(torch.allclose(half[name], whole[name] / 2, atol=1e-7) for name in up)
