import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.draw import ellipse
from skimage.measure import label, regionprops
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_recall_fscore_support
from sklearn.preprocessing import StandardScaler

from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.evaluation.bootstrap import Estimate
from fetal_iqa_training.experiments.threshold import rule_study
from fetal_iqa_training.experiments.threshold.rule import RuleFrames, _folds, _held_out, fit_rule
from fetal_iqa_training.experiments.threshold.rule_features import (
    MASK_FEATURES,
    PROBABILITY_FEATURES,
    SCORE_FEATURES,
    case_features,
    mask_features,
)
from fetal_iqa_training.experiments.threshold.rule_plot import draw_combined_rule
from fetal_iqa_training.experiments.threshold.rule_study import (
    BEST_F1,
    RECALL_KEPT,
    SYSTEMS,
    study_combined_rule,
)

pytestmark = [
    pytest.mark.filterwarnings("error"),
    # napari's own, where one of these is the first test of a process and imports it
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),
]


def described(mask, probability=None):
    names = [*MASK_FEATURES, *(PROBABILITY_FEATURES if probability is not None else ())]
    return dict(zip(names, mask_features(mask, probability), strict=True))


def ellipse_mask(semi_axes, shape=(120, 160), center=(60, 80), turn=0.4):
    mask = np.zeros(shape, bool)
    mask[ellipse(*center, *semi_axes, shape=shape, rotation=turn)] = True
    return mask


# --- features


def test_an_ellipse_looks_like_one():
    found = described(ellipse_mask((30, 45)))
    assert found["main_part"] == 1
    assert found["ellipse_likeness"] > 0.995
    assert found["solidity"] > 0.95
    assert found["roundness"] == pytest.approx(30 / 45, abs=0.02)
    assert described(ellipse_mask((40, 40)))["compactness"] > 0.9


def test_a_shape_that_is_no_abdomen_does_not():
    crescent = ellipse_mask((40, 40)) & ~ellipse_mask((40, 40), center=(60, 100))
    found, whole = described(crescent), described(ellipse_mask((40, 40)))
    for name in ("compactness", "solidity", "ellipse_likeness", "roundness"):
        assert found[name] < whole[name] - 0.1


@given(arrays(np.bool_, (12, 9)))
def test_every_mask_has_features_of_0_to_1(mask):
    probability = np.where(mask, 0.75, 0.25)
    found = mask_features(mask, probability)
    assert found.shape == (7,)
    assert found.min() >= 0
    assert found.max() <= 1
    assert mask_features(mask) == pytest.approx(found[:5])
    if not mask.any():
        assert not found.any()


@settings(max_examples=30)
@given(arrays(np.bool_, (7, 6)).filter(lambda mask: mask.any()))
def test_moments_are_those_of_scikit_image_on_pixels_that_are_squares(mask):
    found = described(mask)
    parts = label(mask, connectivity=1)
    areas = np.bincount(parts.ravel())[1:]
    assert found["main_part"] == pytest.approx(areas.max() / mask.sum())
    main = np.kron(parts == 1 + areas.argmax(), np.ones((20, 20), int))
    (part,) = regionprops(main)
    shorter, longer = part.axis_minor_length, part.axis_major_length
    assert found["roundness"] == pytest.approx(shorter / longer, abs=2e-3)
    expected = part.area / (np.pi / 4 * shorter * longer)
    assert found["ellipse_likeness"] == pytest.approx(expected, abs=5e-3)


def test_compactness_of_a_rectangle_by_hand():
    mask = np.zeros((9, 14))
    mask[2:6, 2:12] = 1
    # 4 by 10 pixels, walked around through their middles
    assert described(mask)["compactness"] == pytest.approx(4 * np.pi * 40 / (2 * (3 + 9)) ** 2)


def test_solidity_of_an_l_by_hand():
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2] = mask[5, 2:6] = True
    # a square of 4 x 4 without a right triangle of sides 3 and 3
    assert described(mask)["solidity"] == pytest.approx(7 / (16 - 4.5))


def test_only_the_largest_part_has_a_shape():
    mask = ellipse_mask((20, 30))
    alone = described(mask)
    mask[2:4, 2:12] = True
    both = described(mask)
    assert both.pop("main_part") == pytest.approx(1 - 20 / mask.sum())
    alone.pop("main_part")
    assert both == pytest.approx(alone)


def test_a_sharp_edge_is_sharper_than_a_soft_one():
    rows, columns = np.indices((80, 80))
    distance = np.hypot(rows - 40, columns - 40) - 20
    sharp, soft = (1 / (1 + np.exp(distance / width)) for width in (0.5, 8))
    sharply, softly = (described(p > 0.5, p) for p in (sharp, soft))
    assert sharply["edge_sharpness"] > 0.6 > 0.3 > softly["edge_sharpness"] > 0
    assert sharply["inside_probability"] > softly["inside_probability"] > 0.5


def test_a_mask_of_the_whole_frame_has_an_edge_with_nothing_beyond():
    found = described(np.ones((9, 9)), np.full((9, 9), 0.7))
    assert found["edge_sharpness"] == pytest.approx(0.7)


def test_scores_and_neighbours_by_hand():
    quality = np.array([0.5, 1, 0.5, 0, 0.5])
    area = np.array([0.01, 0, 0.1, 1, 0.001])
    features = case_features(np.zeros((5, 5)), quality, area, [0, 0, 0, 0, 1])
    assert features.names == (*MASK_FEATURES, *SCORE_FEATURES)
    found = dict(zip(features.names, features.values.T, strict=True))
    assert found["log_area"] == pytest.approx([-2, -5, -1, 0, -3])
    assert found["cls_logit"] == pytest.approx([0, 10, 0, -10, 0])
    # the last frame is alone in its sweep
    assert found["area_nearby"] == pytest.approx([-3, -1, -7 / 3, -3, -3])
    assert found["cls_nearby"] == pytest.approx([5, -10 / 3, 0, 5, 0])


def test_with_probabilities_there_are_two_features_more():
    names = case_features(np.zeros((3, 7)), [0, 0, 0], [0, 0, 0], [0, 0, 0]).names
    assert names == (*MASK_FEATURES, *PROBABILITY_FEATURES, *SCORE_FEATURES)


def test_scores_that_are_no_numbers_or_too_few_are_refused():
    with pytest.raises(TrainingError, match="gives no numbers"):
        case_features(np.zeros((2, 5)), [0.5, np.nan], [0, 0], [0, 0])
    with pytest.raises(ValueError, match="one quality, area and sweep a frame"):
        case_features(np.zeros((2, 5)), [0.5], [0, 0], [0, 0])


# --- the rule


def rule_frames(seed, n_cases=20, per_case=60, informative=2.0, share=0.15):
    """SEG finds nearly all and too much; CLS less of both; a feature may tell them apart."""
    random = np.random.default_rng(seed)
    n = n_cases * per_case
    positive = random.random(n) < share
    cls_logit = random.normal(np.where(positive, 1, -2.5), 1.5)
    shape = random.normal(informative * positive, 1)
    seg = np.where(positive, random.random(n) < 0.9, random.random(n) < 0.07)
    return RuleFrames(
        ("seg", "cls_logit", "shape", "nothing"),
        np.column_stack([seg, cls_logit, shape, np.zeros(n)]),
        positive,
        np.repeat([f"case{number}" for number in range(n_cases)], per_case),
        seg,
        cls_logit > 0,
    )


def only(frames, rows):
    return RuleFrames(
        frames.names,
        *(
            part[rows]
            for part in (frames.features, frames.positive, frames.case, frames.seg, frames.cls)
        ),
    )


@pytest.fixture(scope="module")
def study():
    return study_combined_rule([(rule_frames(n), rule_frames(10 + n)) for n in range(2)])


def test_the_rule_is_the_logistic_regression_of_standardised_features():
    validation, test = rule_frames(0), rule_frames(1)
    rule = fit_rule(validation)
    scaler = StandardScaler().fit(validation.features)
    expected = LogisticRegression(C=rule.strength, max_iter=5000).fit(
        scaler.transform(validation.features), validation.positive
    )
    assert rule.probability(test.features) == pytest.approx(
        expected.predict_proba(scaler.transform(test.features))[:, 1]
    )
    written = rule.as_json()
    assert [feature["name"] for feature in written["features"]] == list(validation.names)
    logits = written["bias"] + sum(
        feature["weight"] * (column - feature["center"]) / feature["scale"]
        for feature, column in zip(written["features"], test.features.T, strict=True)
    )
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(rule.probability(test.features))


def test_recall_on_validation_is_not_below_seg_s_and_no_higher_threshold_keeps_it(monkeypatch):
    validation = rule_frames(3)
    probability = np.random.default_rng(0).random(len(validation.positive)).round(2)
    probability[validation.positive] += 0.3
    monkeypatch.setattr(
        "fetal_iqa_training.experiments.threshold.rule._held_out", lambda *_: probability
    )
    rule = fit_rule(validation)
    positive = validation.positive

    def recall(threshold):
        return (probability >= threshold)[positive].mean()

    assert recall(rule.recall_threshold) >= validation.seg[positive].mean()
    assert recall(np.nextafter(rule.recall_threshold, 2)) < validation.seg[positive].mean()
    best = max(f1_score(positive, probability >= p) for p in np.unique(probability))
    assert f1_score(positive, probability >= rule.f1_threshold) == pytest.approx(best)


def test_a_case_is_never_judged_by_a_fit_that_knew_it():
    validation = rule_frames(0, n_cases=7)
    folds = _folds(validation)
    assert len(np.unique(folds)) == 5
    assert all(len(set(folds[validation.case == case])) == 1 for case in set(validation.case))
    assert all(validation.positive[folds == fold].any() for fold in range(5))
    # what is true of a held-out case says nothing about its own probabilities
    held_out = _held_out(validation, folds, 1.0)
    out = folds == 2
    other = replace(validation, positive=np.where(out, ~validation.positive, validation.positive))
    assert _held_out(other, folds, 1.0)[out] == pytest.approx(held_out[out])


def test_where_a_feature_separates_the_precision_is_won_without_losing_recall(study):
    verdict = study.verdict()
    assert "precision is won, no loss of recall is shown" in verdict
    agreeing = study.differences[RECALL_KEPT, "SEG and CLS"]["recall"]
    assert f"its recall {agreeing.value:+.4f} (95 % interval {agreeing.low:+.4f}" in verdict
    difference = study.differences[RECALL_KEPT, "SEG"]
    assert difference["precision"].low > 0.05
    assert study.metrics[RECALL_KEPT][:, 1] == pytest.approx(study.metrics["SEG"][:, 1], abs=0.06)


@pytest.mark.parametrize(
    ("precision", "recall", "answer"),
    [
        ((0.1, 0.2), (-0.1, 0.1), "precision is won, no loss of recall is shown"),
        ((0.1, 0.2), (-0.2, -0.1), "precision is won, recall is lost"),
        ((-0.1, 0.2), (-0.1, 0.1), "no gain is shown"),
        ((-0.2, -0.1), (0.1, 0.2), "precision is lost"),
        ((None, None), (None, None), "too few cases to tell"),
    ],
)
def test_the_verdict_is_what_the_intervals_show(study, precision, recall, answer):
    found = {"precision": Estimate(0.0, *precision), "recall": Estimate(0.0, *recall)}
    changed = study.differences | {(RECALL_KEPT, "SEG"): found}
    assert f"against SEG alone: {answer}." in replace(study, differences=changed).verdict()


def test_where_nothing_separates_no_gain_is_claimed():
    def blind(seed):
        frames = rule_frames(seed)
        noise = np.random.default_rng(seed).normal(size=(len(frames.seg), 1))
        features = np.column_stack([frames.seg + 0.01 * noise[:, 0], noise, noise, noise])
        return replace(frames, features=features)

    verdict = study_combined_rule([(blind(0), blind(1))]).verdict()
    assert "precision is won" not in verdict


def test_test_frames_do_not_change_the_rule(study):
    flipped = replace(rule_frames(10), positive=~rule_frames(10).positive)
    alone = study_combined_rule([(rule_frames(0), flipped)])
    assert alone.rules[0].weights == pytest.approx(study.rules[0].weights)
    assert alone.rules[0].recall_threshold == study.rules[0].recall_threshold


def test_metrics_are_those_of_scikit_learn(study):
    test, rule = rule_frames(11), study.rules[1]
    probability = rule.probability(test.features)
    decisions = {
        "SEG": test.seg,
        "CLS": test.cls,
        "SEG and CLS": test.seg & test.cls,
        RECALL_KEPT: probability >= rule.recall_threshold,
        BEST_F1: probability >= rule.f1_threshold,
    }
    assert tuple(decisions) == SYSTEMS
    for system, decision in decisions.items():
        expected = precision_recall_fscore_support(test.positive, decision, average="binary")
        assert study.metrics[system][1] == pytest.approx(expected[:3])


def test_differences_and_intervals_are_those_of_cases_drawn_one_by_one(study, monkeypatch):
    drawn = np.random.default_rng(0).integers(0, 20, (40, 20))
    monkeypatch.setattr(rule_study, "resampled_cases", lambda *_: drawn)
    tests = [rule_frames(10), rule_frames(11)]
    found = study_combined_rule(
        [(rule_frames(n), test) for n, test in enumerate(tests)]
    ).differences[RECALL_KEPT, "CLS"]["precision"]

    names = np.unique(tests[0].case)

    def precision(frames, called):
        return frames.positive[called].mean()

    def difference(rows_of):
        runs = []
        for rule, test in zip(study.rules, tests, strict=True):
            part = only(test, rows_of(test))
            combined = rule.probability(part.features) >= rule.recall_threshold
            runs.append(precision(part, combined) - precision(part, part.cls))
        return np.mean(runs)

    resamples = [
        difference(
            lambda test, cases=cases: np.concatenate(
                [np.flatnonzero(test.case == names[case]) for case in cases]
            )
        )
        for cases in drawn
    ]
    assert found.value == pytest.approx(difference(lambda test: np.arange(len(test.case))))
    assert [found.low, found.high] == pytest.approx(np.percentile(resamples, [2.5, 97.5]))


def test_rows_and_json_hold_what_was_found(study):
    rows = study.rows()
    assert [row["system"] for row in rows] == list(SYSTEMS)
    assert rows[0]["recall_mean"] == pytest.approx(study.metrics["SEG"][:, 1].mean(), abs=1e-4)
    written = json.loads(json.dumps(study.as_json(), allow_nan=False))
    assert written["cases"] == 20
    assert len(written["rules"]) == 2
    assert len(written["differences"]) == 6
    assert written["verdict"] == study.verdict()


def test_one_test_case_has_metrics_and_no_intervals():
    study = study_combined_rule([(rule_frames(0), rule_frames(1, n_cases=1))])
    assert study.differences[RECALL_KEPT, "SEG"]["precision"].low is None
    assert "too few cases to tell" in study.verdict()
    assert study.rows()[0]["f1_std"] is None
    json.dumps(study.as_json(), allow_nan=False)


def finding_nothing(frames):
    nothing = np.zeros(len(frames.seg), bool)
    return replace(frames, seg=nothing, cls=nothing)


def test_networks_that_find_nothing_have_metrics_of_0():
    study = study_combined_rule(
        [(finding_nothing(rule_frames(0)), finding_nothing(rule_frames(1)))]
    )
    assert not study.metrics["SEG"].any()
    assert not study.metrics["CLS"].any()
    assert study.metrics[RECALL_KEPT][0, 1] < 0.2  # one frame's worth on validation
    json.dumps(study.as_json(), allow_nan=False)


def with_truth(frames, positive):
    return replace(frames, positive=np.broadcast_to(positive, frames.positive.shape))


@pytest.mark.parametrize(
    ("validation", "test", "named"),
    [
        (with_truth(rule_frames(0), False), rule_frames(1), "needs 2 or more; found 0"),
        (rule_frames(0, n_cases=1), rule_frames(1), "needs 2 or more; found 1"),
        (with_truth(rule_frames(0), True), rule_frames(1), "frames without an abdomen, too"),
        (rule_frames(0), with_truth(rule_frames(1), False), "no test frame shows an abdomen"),
    ],
)
def test_what_cannot_be_fitted_or_judged_is_named(validation, test, named):
    with pytest.raises(TrainingError, match=named):
        study_combined_rule([(validation, test)])


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(TrainingError, match="no runs"):
        study_combined_rule([])
    one, fewer = rule_frames(0), rule_frames(1, n_cases=19)
    with pytest.raises(ValueError, match="same test cases"):
        study_combined_rule([(one, one), (one, fewer)])
    with pytest.raises(ValueError, match="expected the features"):
        study_combined_rule([(one, replace(one, names=("a", "b", "c", "d")))])
    with pytest.raises(ValueError, match="found features"):
        replace(one, names=("a",))


@settings(max_examples=15)
@given(
    st.integers(0, 10_000),
    st.integers(2, 6),
    st.integers(3, 8),
    st.floats(0.05, 0.9),
)
def test_small_and_odd_data_give_metrics_or_one_clear_line(seed, n_cases, per_case, share):
    parts = [rule_frames(seed + n, n_cases, per_case, share=share) for n in range(2)]
    cases_with = set(parts[0].case[parts[0].positive])
    try:
        study = study_combined_rule([(parts[0], parts[1])])
    except TrainingError:
        nothing_to_judge = not parts[1].positive.any()
        assert nothing_to_judge or len(cases_with) < 2 or parts[0].positive.mean() > 0.5
        return
    for of_runs in study.metrics.values():
        assert ((of_runs >= 0) & (of_runs <= 1)).all()
    json.dumps(study.as_json(), allow_nan=False)


def test_the_picture_shows_systems_and_weights(study, tmp_path):
    figure = draw_combined_rule(study)
    systems, weights = figure.axes
    assert [text.get_text() for text in systems.get_legend().get_texts()] == list(SYSTEMS)
    assert weights.get_yticklabels()[0].get_text() == "nothing"
    figure.savefig(tmp_path / "rule.png")
    assert (tmp_path / "rule.png").stat().st_size > 10_000
