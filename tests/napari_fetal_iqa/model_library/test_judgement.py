"""What is known of a child and its parent never protects a child that lost."""

from hypothesis import assume, given
from hypothesis import strategies as st

from napari_fetal_iqa.model_library.comparison import ModelComparison
from napari_fetal_iqa.model_library.judgement import JUDGED_BY, LESS_IS_BETTER, judge_child

NAMES = st.sampled_from(JUDGED_BY["seg"])
ENDS = st.tuples(st.floats(-40, 40), st.floats(-40, 40)).map(sorted)


def on_the_reference(name, before, after, difference):
    ends = {} if difference is None else {name: {"difference": difference}}
    sides = {"parent": before, "child": after}
    held = {"hold_out": {"f1": 0.9}}
    return judge_child(
        ModelComparison.model_validate(
            {side: {"reference": {name: value}, **held} for side, value in sides.items()}
            | {"intervals": {"reference": ends}}
        ),
        "seg",
    )


@given(NAMES, st.floats(0, 40), st.floats(0, 40), ENDS)
def test_no_interval_lets_pass_what_is_refused_without_one(name, before, after, difference):
    few = on_the_reference(name, before, after, None)
    many = on_the_reference(name, before, after, difference)
    assert bool(few.verdict) <= bool(many.verdict)
    assert bool(few.forgotten or few.slipped) == bool(many.forgotten or many.slipped)


@given(NAMES, st.floats(0, 40), st.floats(0, 40), st.none() | ENDS)
def test_as_good_or_better_is_never_worse(name, before, after, difference):
    worst, best = sorted((before, after), reverse=name in LESS_IS_BETTER)
    found = on_the_reference(name, worst, best, difference)
    assert found.verdict is None
    assert not found.slipped


@given(NAMES, st.floats(0, 40), st.floats(0, 40), st.none() | ENDS)
def test_a_fall_that_is_not_sure_says_why(name, before, after, difference):
    found = on_the_reference(name, before, after, difference)
    fell = found.forgotten or found.slipped
    assume(fell and not fell[0].sure)
    said = found.doubt_of_reference or found.doubt_of_slips
    assert said == ("too few to be sure" if difference is None else "which may be chance")
