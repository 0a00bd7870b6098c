"""What taught a model is all in its card, of the largest data sets too, or the training refuses."""

import pytest

from fetal_iqa_models import ModelError
from fetal_iqa_models.taught import MOST, Taught


def test_what_is_more_than_a_card_takes_is_refused_and_not_left_out() -> None:
    taught = Taught.salted("x").having(learnt=[("case", str(n)) for n in range(MOST - 1)])
    assert len(taught.having(tested=[("case", "a")]).tested) == 1
    with pytest.raises(ModelError, match="take fewer cases"):
        taught.having(tested=[("case", "a"), ("case", "b")])
