"""Nothing that teaches in a run judges in it, under whatever name and however it is cut."""

import numpy as np
import pytest

from fetal_iqa_models import load_card, load_model, model_hash, save_with_card
from fetal_iqa_training.data.case_identity import identity_of_case
from fetal_iqa_training.data.correction_set import read_correction_set
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.hold_out import is_held_out
from fetal_iqa_training.data.labelled_frames import content_of
from fetal_iqa_training.data.shared_frames import frame_contents, joined_units
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.calibrate_corrections import calibrate_on_corrections
from fetal_iqa_training.evaluation.evaluate import evaluate
from fetal_iqa_training.fitting.finetune import finetune
from fetal_iqa_training.fitting.finetune_context import EarlierData, FinetuneContext
from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.fitting.kept_back import kept_back
from fetal_iqa_training.fitting.rehearsed import what_is_rehearsed
from fetal_iqa_training.fitting.told_apart import told_apart
from fetal_iqa_training.settings import PRESETS, FinetuneSettings
from napari_fetal_iqa.corrections.sweep_finder import SweepFinder
from napari_fetal_iqa.io.acouslic import write_case
from napari_fetal_iqa.model_library.hold_out import doubtful
from napari_fetal_iqa.sweep import SweepVolume

from ..conftest import correct, disc_volume, tiny_settings

FRAMES = 24
SETTINGS = FinetuneSettings(
    task="cls", **PRESETS["quick"] | {"steps": 1, "batch_size": 8, "device": "cpu"}
)


def held(frames):
    return is_held_out(content_of(frames))


def found(wanted, start=1000, part=None, part_held=None):
    """Find a volume that is on the wanted side, and whose part is on that of ``part_held``."""
    for seed in range(start, start + 2000):
        frames, masks = disc_volume(seed, 4)
        if held(frames) == wanted and (part is None or held(frames[part]) == part_held):
            return frames, masks
    raise AssertionError("no such volume")


def read(store, base, rehearsal=None, reference=None):
    """Return what a fine-tuning on a store would judge by, and what it would note."""
    network = load_model(base)
    corrections = read_correction_set([store], "cls", taught=network.card.lineage(network.hash))
    context = FinetuneContext(network, corrections, SweepFinder(()), SETTINGS, lambda _: None)
    given = EarlierData(reference, rehearsal)
    return told_apart(context, what_is_rehearsed(given, given), reference)


def store_of(folder, **volumes):
    for name, (frames, masks) in volumes.items():
        store = correct(folder, frames, masks, range(len(frames)), name)
    return store


@pytest.mark.parametrize("part", [slice(0, 6), slice(3, 17)], ids=["a sweep", "across sweeps"])
def test_a_part_of_a_volume_that_teaches_does_not_judge(bases, tmp_path, part):
    frames, masks = found(False, part=part, part_held=True)
    other = found(True, start=5000)
    store = store_of(
        tmp_path, volume=(frames, masks), part=(frames[part], masks[part]), other=other
    )
    context, taught = read(store, bases / "cls")
    split = context.corrections.split
    assert {s.record.identity for s in split.hold_out} == {content_of(other[0])}
    assert {s.record.identity for s in split.set_aside} == {content_of(frames[part])}
    assert split.shared == 1
    # a later child is not judged by another part of what taught this one either
    assert taught.learnt_from([("frames", content_of(frames[4:5]))])
    assert not taught.learnt_from([("frames", content_of(other[0][4:5]))])
    card = finetune([store], bases / "cls", tmp_path / "child", SETTINGS)
    assert card.training["set_aside_for_shared_frames"] == 1
    assert card.metrics["child"]["hold_out"]["frames"] == FRAMES
    (tmp_path / "later").mkdir()
    clip = next(c for c in (slice(n, n + 12) for n in range(12)) if held(frames[c]))
    later = store_of(tmp_path / "later", clip=(frames[clip], masks[clip]), third=found(False, 7000))
    split = read(later, tmp_path / "child")[0].corrections.split
    assert (split.hold_out, split.taught_before) == ((), True)


def test_two_held_sweeps_of_the_same_frames_are_one_unit(bases, tmp_path):
    part = slice(2, 20)
    frames, masks = found(True, part=part, part_held=True)
    store = store_of(
        tmp_path,
        volume=(frames, masks),
        part=(frames[part], masks[part]),
        teaching=found(False),
    )
    card = finetune([store], bases / "cls", tmp_path / "child", SETTINGS)
    assert card.metrics["child"]["hold_out"]["frames"] == FRAMES + 18
    assert card.metrics["units"]["hold_out"]["count"] == 1


def test_what_chooses_when_to_stop_is_in_no_sweep_that_teaches(bases, tmp_path):
    part = slice(2, 20)
    frames, masks = found(False, part=part, part_held=False)
    store = store_of(tmp_path, volume=(frames, masks), part=(frames[part], masks[part]))
    careful = SETTINGS.model_copy(update={"patience": 2})
    card = finetune([store], bases / "cls", tmp_path / "child", careful)
    assert card.training["kept_back"] == 0  # it is all one
    rows = np.array([True, False] * 8)
    assert len(kept_back(rows, ["a"] * 8 + ["b"] * 8)) == 8
    assert not len(kept_back(rows, ["a"] * 8 + ["b"] * 8, never={"a", "b"}))


@pytest.fixture
def rehearsal(tmp_path):
    """A data set of six sweeps a case, and the frames of its first."""
    frames, masks = found(True, start=9000, part=slice(1, 15), part_held=True)
    whole = np.concatenate([frames, frames[:12][::-1]]), np.concatenate([masks, masks[:12][::-1]])
    for number, (images, outlines) in enumerate((whole, disc_volume(77))):
        sweep = SweepVolume(images, (1.0, 1.0), name=f"old{number}")
        write_case(tmp_path / "old", f"old{number}", sweep, outlines, [100.0] * 6, f"p{number}")
    return tmp_path / "old", frames, masks


def test_a_part_of_what_is_rehearsed_does_not_judge(bases, tmp_path, rehearsal):
    folder, frames, masks = rehearsal
    part = slice(1, 15)
    store = store_of(tmp_path, part=(frames[part], masks[part]), teaching=found(False))
    assert read(store, bases / "cls")[0].corrections.split.hold_out
    split = read(store, bases / "cls", rehearsal=folder)[0].corrections.split
    assert (split.hold_out, split.shared) == ((), 1)


def test_cases_of_the_reference_that_teach_are_left_out_of_it(bases, tmp_path, rehearsal):
    folder, frames, masks = rehearsal
    other = disc_volume(77)
    part = slice(0, 17)
    while held(frames[part]):
        part = slice(part.start + 1, part.stop)
    store = store_of(tmp_path, part=(frames[part], masks[part]))
    earlier = EarlierData(reference=folder)
    card = finetune([store], bases / "cls", tmp_path / "child", SETTINGS, earlier_data=earlier)
    assert card.training["reference_without"] == 1
    assert card.metrics["child"]["reference"]["frames"] == 36  # those of the other case
    part = slice(1, 20)
    while held(other[0][part]):
        part = slice(part.start + 1, part.stop)
    store = store_of(tmp_path, other=(other[0][part], other[1][part]))
    with pytest.raises(TrainingError, match="all of its cases teach the model, or taught"):
        finetune([store], bases / "cls", tmp_path / "two", SETTINGS, earlier_data=earlier)


def test_cases_of_the_reference_that_taught_the_base_are_left_out_of_it(bases, tmp_path, rehearsal):
    folder = rehearsal[0]
    store = store_of(tmp_path, teaching=found(False))
    first, second = list_annotated(folder)
    card = load_card(bases / "cls")
    salted = card.lineage(model_hash(bases / "cls"))

    def without(**known):
        base = tmp_path / next(iter(known))
        taught = salted.having(**known)
        save_with_card(bases / "cls", base, card.model_copy(update={"taught": taught}))
        return read(store, base, reference=folder)[0].reference_without

    assert without(tested=identity_of_case(first)) == set()
    assert without(learnt=[("case", first.name)]) == {first.name}
    assert without(chose=[("frames", one.content) for one in second.read()]) == {second.name}
    (tmp_path / "learnt").rename(tmp_path / "before")
    with pytest.raises(TrainingError, match="all of its cases teach the model, or taught"):
        without(learnt=[*identity_of_case(first), *identity_of_case(second)])


def test_a_part_of_what_is_held_out_chooses_no_temperature(bases, tmp_path):
    part = slice(2, 20)
    frames, masks = found(True, part=part, part_held=False)
    store = store_of(tmp_path, volume=(frames, masks), part=(frames[part], masks[part]))
    with pytest.raises(TrainingError, match="held out"):
        calibrate_on_corrections(bases / "cls", [store], tmp_path / "child", device="cpu")


def test_black_frames_are_in_many_sweeps_and_join_none():
    black = np.zeros((3, 8, 8), np.uint8)
    assert list(frame_contents(black)) == []
    one, other = disc_volume(1)[0], disc_volume(2)[0]
    contents = {n: set(frame_contents(f)) for n, f in (("a", one), ("b", other), ("c", one[3:5]))}
    assert joined_units(contents) == {"a": "a", "c": "a"}


def test_a_base_whose_card_does_not_say_what_taught_it_is_told_in_the_child_and_its_children(
    bases, data, tmp_path
):
    older = load_card(bases / "cls").model_copy(update={"taught": None})
    save_with_card(bases / "cls", tmp_path / "older", older)
    store = store_of(tmp_path, teaching=found(False), held=found(True, 5000))
    child = finetune([store], tmp_path / "older", tmp_path / "child", SETTINGS)
    assert child.metrics["child"]["hold_out"]["frames"] == FRAMES
    assert child.taught.unrecorded == (model_hash(tmp_path / "older"),)
    assert "it may know the sweeps that judge" in child.metrics["note"]
    assert "card does not say what taught it" in doubtful(child)
    grandchild = finetune([store], tmp_path / "child", tmp_path / "grandchild", SETTINGS)
    assert "it may know the sweeps that judge" in grandchild.metrics["note"]
    known = finetune([store], bases / "cls", tmp_path / "known", SETTINGS)
    assert "note" not in known.metrics
    assert "card does not say" not in doubtful(known)
    # and wherever else the record is relied on
    judged = evaluate(tmp_path / "grandchild", data, device="cpu").judged_on
    assert not judged.recorded
    assert "does not say what taught it, or an ancestor" in judged.remark
    (tmp_path / "more").mkdir()
    frames, masks = found(False, 7000)
    for number in range(
        0, FRAMES, 5
    ):  # some of both kinds are wrong: else any temperature would do
        masks[number, 10:30, 10:30] = 0 if masks[number].any() else 1
        masks[number] *= masks[number, 10, 10]
    more = store_of(tmp_path / "more", third=(frames, masks))
    calibrated = calibrate_on_corrections(
        tmp_path / "grandchild", [more], tmp_path / "calibrated", device="cpu"
    )
    assert calibrated.training["calibrated_on"]["recorded"] is False
    fitted = fit(data, tmp_path / "fitted", tiny_settings("cls"), start_from=tmp_path / "older")
    assert fitted.metrics["test"]["judged_on"]["recorded"] is False


def test_what_was_made_of_phantoms_or_of_words_alone_is_known():
    phantoms = load_card("demo-cls")
    assert phantoms.taught is None
    assert phantoms.lineage("0" * 64).known
    assert not phantoms.model_copy(update={"demo": False}).lineage("0" * 64).known
