import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetal_iqa_training.data.labelled_frames import AnnotatedCase
from fetal_iqa_training.data.split import split_by_subject
from fetal_iqa_training.errors import TrainingError


def case(number: int, subject: int) -> AnnotatedCase:
    return AnnotatedCase(f"c{number}", f"s{subject}", 1, lambda: iter(()))


@given(
    subjects=st.lists(st.integers(0, 30), min_size=8, max_size=60),
    seed=st.integers(0, 100),
    shares=st.tuples(st.floats(0.05, 0.3), st.floats(0.0, 0.3)),
)
def test_no_subject_is_on_two_sides_and_no_case_is_lost(subjects, seed, shares):
    if len(set(subjects)) < 4:
        subjects = [*subjects, 40, 41, 42, 43]
    cases = [case(number, subject) for number, subject in enumerate(subjects)]
    split = split_by_subject(cases, *shares, seed=seed)
    sides = [split.training, split.validation, split.test]
    assert sorted(c.name for side in sides for c in side) == sorted(c.name for c in cases)
    named = [{c.subject_id for c in side} for side in sides]
    assert sum(map(len, named)) == len(set.union(*named))
    assert split.training
    assert split.validation
    assert bool(split.test) == (shares[1] > 0)


def test_the_papers_shares_split_300_subjects_as_the_paper_does():
    split = split_by_subject([case(number, number) for number in range(300)])
    assert [len(s) for s in (split.training, split.validation, split.test)] == [210, 30, 60]


def test_the_split_is_the_seeds():
    cases = [case(number, number) for number in range(30)]
    assert split_by_subject(cases, seed=1) == split_by_subject(cases[::1], seed=1)
    assert split_by_subject(cases, seed=1) != split_by_subject(cases, seed=2)


def test_too_few_subjects_are_refused_with_how_many_it_takes():
    with pytest.raises(TrainingError, match=r"only 2 annotated subjects.*need 3 or more"):
        split_by_subject([case(0, 0), case(1, 1), case(2, 1)])
