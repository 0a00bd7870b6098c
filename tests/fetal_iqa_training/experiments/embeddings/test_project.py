import numpy as np
import pytest

from fetal_iqa_training.experiments.embeddings.project import project, separation
from fetal_iqa_training.experiments.part_frames import PartFrames


@pytest.fixture
def blobs():
    """Two kinds of points in 60 dimensions, 40 and 10 of them."""
    random = np.random.default_rng(0)
    positive = np.arange(50) >= 40
    points = random.normal(size=(50, 60)) + 4.0 * positive[:, None]
    return points.astype(np.float32), positive


def silhouettes(points, positive):
    """By the definition, point by point."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    found = []
    for row, kind in enumerate(positive):
        same = (positive == kind) & (np.arange(len(points)) != row)
        inside, outside = distances[row, same].mean(), distances[row, positive != kind].mean()
        found.append((outside - inside) / max(inside, outside))
    return np.array(found)


def test_separation_is_the_silhouette_of_the_labels(blobs):
    points, positive = blobs
    expected = silhouettes(points.astype(float), positive)
    found = separation(points, positive)
    assert found.silhouette == pytest.approx(expected.mean(), abs=1e-5)
    balanced = (expected[positive].mean() + expected[~positive].mean()) / 2
    assert found.balanced == pytest.approx(balanced, abs=1e-5)
    assert found.silhouette > 0.5
    mixed = separation(points, np.arange(50) % 2 == 0)
    assert abs(mixed.silhouette) < 0.05


@pytest.mark.parametrize("positive", [np.ones(5, bool), np.zeros(5, bool)])
def test_one_kind_of_frame_has_no_separation(positive):
    assert separation(np.eye(5, dtype=np.float32), positive) is None


def test_pca_is_that_of_the_singular_values(blobs):
    points, _ = blobs
    found = project(points, seed=0)
    centred = points - points.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred.astype(float), full_matrices=False)
    expected = centred @ axes[:2].T
    assert np.abs(found.pca) == pytest.approx(np.abs(expected), abs=1e-3)
    assert found.variance == pytest.approx(singular[:2] ** 2 / (singular**2).sum(), abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_embeddings_that_are_all_the_same_are_one_point(value):
    found = project(np.full((40, 64), value, np.float32), seed=0)
    assert found.variance == (0, 0)
    assert not found.pca.any()
    assert not found.tsne.any()


def test_the_same_seed_gives_the_same_picture_and_kinds_that_part_part_in_it(blobs):
    points, positive = blobs
    found = project(points, seed=3)
    assert np.array_equal(found.tsne, project(points, seed=3).tsne)
    assert separation(found.tsne.astype(np.float32), positive).silhouette > 0.3


def test_few_frames_can_be_projected():
    found = project(np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32), seed=0)
    assert found.tsne.shape == (5, 2)


def part(positive):
    count = len(positive)
    names = np.array([f"sweep {number % 3}" for number in range(count)])
    frames = np.arange(count, dtype=np.uint8)[:, None, None]
    return PartFrames(frames, positive, names, names, np.arange(count))


def test_a_sample_has_both_kinds_in_their_proportion_and_in_order():
    whole = part(np.arange(200) % 10 == 0)
    drawn = whole.sample(50, seed=1)
    assert len(drawn) == 50
    assert drawn.positive.sum() == 5
    assert (np.diff(drawn.number) > 0).all()
    assert np.array_equal(drawn.frames[:, 0, 0], drawn.number)
    assert np.array_equal(drawn.positive, whole.positive[drawn.number])


def test_a_rare_kind_is_never_lost_and_a_small_part_is_whole():
    rare = part(np.arange(200) == 7)
    assert rare.sample(20, seed=0).positive.sum() == 1
    assert rare.sample(500, seed=0) is rare
