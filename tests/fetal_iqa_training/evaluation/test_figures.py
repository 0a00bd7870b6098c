import csv

import numpy as np
import pytest
from PIL import Image

from fetal_iqa_training.evaluation.comparison import FrameOutcome
from fetal_iqa_training.evaluation.figures import by_case, confusion, roc, write_figures

TRUTH = [True, True, True, False, False, False, False, True]
SCORES = [0.9, 0.8, 0.3, 0.7, 0.2, 0.1, 0.05, 0.6]
OUTCOMES = [
    FrameOutcome(f"{case}, sweep 1", frame, truth, score, score > 0.5)
    for frame, (case, truth, score) in enumerate(zip("aaaabbbb", TRUTH, SCORES, strict=True))
]


def test_confusion_and_specificity_are_counted():
    found = confusion(OUTCOMES)
    assert (found.hits, found.misses, found.false_alarms, found.rejections) == (3, 1, 1, 3)
    assert found.specificity == 0.75
    assert confusion(OUTCOMES[:3]).specificity is None


def test_the_area_under_the_roc_is_the_chance_that_an_abdomen_scores_higher():
    positive = [score for score, truth in zip(SCORES, TRUTH, strict=True) if truth]
    negative = [score for score, truth in zip(SCORES, TRUTH, strict=True) if not truth]
    expected = np.mean([[one > other for other in negative] for one in positive])
    false, true, area = roc(OUTCOMES)
    assert area == pytest.approx(expected)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert not len(roc(OUTCOMES[:3])[0])


def test_cases_add_up_to_all_frames_and_everything_is_drawn(tmp_path):
    cases = by_case(OUTCOMES)
    assert [(line["case"], line["frames"], line["hits"]) for line in cases] == [
        ("a", 4, 2), ("b", 4, 1),
    ]  # fmt: skip
    assert cases[0]["recall"] == pytest.approx(2 / 3, abs=1e-6)
    files = write_figures(OUTCOMES, "a model", tmp_path)
    for path in files[:2]:
        assert len(Image.open(path).convert("RGB").getcolors(1 << 24)) > 10
    with (tmp_path / "frames.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [float(line["score"]) for line in lines] == SCORES
    only = [one for one in OUTCOMES if not one.positive]
    write_figures(only, "no abdomen at all", tmp_path / "empty")
