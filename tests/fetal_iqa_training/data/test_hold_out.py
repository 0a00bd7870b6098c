import hashlib
from dataclasses import replace

import pytest

from fetal_iqa_models.taught import Taught
from fetal_iqa_training.data.case_identity import things_of_case
from fetal_iqa_training.data.correction_set import UNRECORDED, CorrectionSet
from fetal_iqa_training.data.hold_out import is_held_out, split_hold_out, things_of
from napari_fetal_iqa.corrections import FrameCorrection, Label, SweepRecord
from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep
from napari_fetal_iqa.corrections.subjects import salt_of_this_machine, subject_key


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


@pytest.mark.parametrize("name", ["{}_HC", "P{}-a", "other", "{}"])
def test_a_subject_that_taught_in_a_data_set_does_not_judge_corrected(name):
    """However its case was named there, and by the name that ``--subject`` says."""
    subjects = [f"{number:03d}" for number in range(24)]
    salt = salt_of_this_machine()
    subjects = [f"P{one}" if name.startswith("P") else one for one in subjects]
    whose = [replace(corrected(one), subject=subject_key(one, salt)) for one in subjects]
    before = Taught.salted("data")
    assert split_hold_out(whose, "cls", before).hold_out
    taught = before.having(
        thing for one in subjects for thing in things_of_case(name.format(one[-3:]), one)
    )
    split = split_hold_out(whose, "cls", taught)
    assert (split.hold_out, split.taught_before, split.unrecorded) == ((), True, False)


def test_a_record_without_every_subject_is_told_where_subjects_judge():
    whose = [replace(sweep, subject=f"{n:064x}") for n, sweep in enumerate(MANY)]
    older = Taught.salted("data").model_copy(update={"every_subject": False})
    for sweeps, told in ((whose, True), (MANY, False)):
        split = split_hold_out(sweeps, "cls", older.having([("case", "one")]))
        assert split.hold_out
        assert split.unrecorded is told
        assert (CorrectionSet("cls", split).note == UNRECORDED) is told
