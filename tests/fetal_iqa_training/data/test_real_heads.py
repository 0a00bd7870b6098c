"""Real ultrasound, once: the segmenter learns the heads of the HC18 challenge."""

import pytest

from fetal_iqa_training.fitting.fit import fit
from fetal_iqa_training.settings import FitSettings


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_segmenter_learns_real_heads(real_data, tmp_path):
    """A figure, no product: heads are not abdomens, and 300 images are few."""
    settings = FitSettings(
        task="seg",
        encoder="swin-demo",
        epochs=25,
        learning_rate=1e-3,
        cross_entropy=1.0,
        schedule="cosine",
        gradient_clip=1.0,
        batch_size=16,
        device="cpu",
    )
    card = fit(real_data / "hc18", tmp_path / "heads", settings)
    test = card.metrics["test"]
    assert test["positives"] == test["frames"] > 50
    assert test["dice"] > 0.95
    assert test["circumference_error_mm"] < 6
