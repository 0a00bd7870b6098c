import hashlib

from fetal_iqa_training.data.hold_out import is_held_out, split_hold_out
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


def test_too_few_frames_are_all_trained_on():
    few = [corrected(number, positives=1, negatives=1) for number in range(6)]
    split = split_hold_out(few, "cls")
    assert split.training == tuple(few)
    assert split.hold_out == ()


def test_a_hold_out_for_quality_needs_negative_frames():
    only_positive = [corrected(number, negatives=0) for number in range(40)]
    assert split_hold_out(only_positive, "cls").hold_out == ()
