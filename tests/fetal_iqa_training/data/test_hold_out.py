import hashlib
from dataclasses import replace

from fetal_iqa_models.taught import Taught
from fetal_iqa_training.data.correction_set import CorrectionSet
from fetal_iqa_training.data.hold_out import is_held_out, split_hold_out, things_of
from napari_fetal_iqa.corrections import FrameCorrection, Label, SweepRecord
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep


def corrected(number, positives=6, negatives=6):
    identity = hashlib.sha256(str(number).encode()).hexdigest()
    labels = [Label.OPTIMAL] * positives + [Label.NONE] * negatives
    return CorrectedSweep(
        SweepRecord(identity, (20, 4, 4), None, ((0, 20),)),
        tuple(
            FrameCorrection(frame, label, None, False, "AK", "2026")
            for frame, label in enumerate(labels)
        ),
    )


MANY = [corrected(number) for number in range(40)]


def identities(sweeps):
    return {sweep.record.identity for sweep in sweeps}


def test_about_one_sweep_in_five_judges():
    held = [is_held_out(hashlib.sha256(bytes([n])).hexdigest()) for n in range(250)]
    assert 30 < sum(held) < 70


def test_the_hold_out_stays_the_hold_out_as_the_store_grows():
    earlier, later = split_hold_out(MANY[:25], "cls"), split_hold_out(MANY, "cls")
    assert earlier.hold_out
    assert identities(earlier.hold_out) <= identities(later.hold_out)
    assert not identities(earlier.hold_out) & identities(later.training)


def test_no_sweep_is_on_both_sides_and_none_is_lost():
    split = split_hold_out(MANY, "cls")
    assert not identities(split.training) & identities(split.hold_out)
    assert identities(split.training) | identities(split.hold_out) == identities(MANY)


def test_what_is_held_out_never_trains_however_little_it_is():
    few = [corrected(number, positives=1, negatives=1) for number in range(6)]
    split = split_hold_out(few, "cls")
    held = {s.record.identity for s in few if is_held_out(s.record.identity)}
    assert held
    assert split.hold_out == ()
    assert identities(split.set_aside) == held
    assert identities(split.training) == identities(few) - held


def test_a_hold_out_for_quality_needs_negative_frames():
    only_positive = [corrected(number, negatives=0) for number in range(40)]
    assert split_hold_out(only_positive, "cls").hold_out == ()


def test_no_generation_is_judged_by_what_taught_another():
    """A store that grows: what judges the last child taught none of its ancestors."""
    taught = Taught.salted("demo")
    teachers = set()
    for size in range(1, len(MANY) + 1):
        split = split_hold_out(MANY[:size], "cls", taught)
        assert not identities(split.hold_out) & teachers
        teachers |= identities(split.training)
        taught = taught.having(thing for sweep in split.training for thing in things_of(sweep))
    assert split.hold_out


def test_what_an_ancestor_of_an_earlier_version_learnt_from_judges_nobody():
    before = split_hold_out(MANY, "cls")
    leaked = before.hold_out[0]
    taught = Taught.salted("demo").having(things_of(leaked))
    split = split_hold_out(MANY, "cls", taught)
    assert identities(split.hold_out) == identities(before.hold_out) - identities([leaked])
    assert identities(split.set_aside) == identities([leaked])
    assert split.training == before.training
    assert split.taught_before
    unknown = taught.model_copy(update={"complete": False})
    assert split_hold_out(MANY, "cls", unknown).hold_out == ()


def test_a_data_set_that_holds_a_sweep_taught_its_model():
    held = split_hold_out(MANY, "cls").hold_out
    taught = Taught.salted("data").having([("frames", "of the first")])
    contents = {held[0].record.identity: {"of the first", "of the second"}}
    split = split_hold_out(MANY, "cls", taught, contents)
    assert identities(split.set_aside) == identities(held[:1])


def test_sweeps_of_a_subject_stay_on_one_side_and_teach_together():
    whose = [replace(sweep, subject=f"{n // 4:064x}") for n, sweep in enumerate(MANY)]
    split = split_hold_out(whose, "cls")
    sides = {"training": split.training, "hold_out": split.hold_out}
    subjects = {name: {sweep.subject for sweep in side} for name, side in sides.items()}
    assert all(subjects.values())
    assert not subjects["training"] & subjects["hold_out"]
    one = split.hold_out[0]
    # recorded while nobody knew whose it was: its subject's other sweeps are left out with it
    taught = Taught.salted("demo").having([("sweep", one.record.identity)])
    later = split_hold_out(whose, "cls", taught)
    assert {s.subject for s in later.set_aside} == {one.subject}
    assert len(later.set_aside) == 4


def test_the_reasons_are_given_in_words():
    held = [sweep for sweep in MANY if is_held_out(sweep.record.identity)]
    only = CorrectionSet("cls", split_hold_out(held[:1], "cls"))
    assert "12 frames corrected, all of sweeps that are held out" in only.problem
    lost = Taught.salted("demo").model_copy(update={"complete": False})
    unknown = CorrectionSet("cls", split_hold_out(MANY, "cls", lost))
    assert "fine-tuned by an earlier version" in unknown.note
    assert unknown.summary().unknown_subjects == len(unknown.split.training)
