"""Real standard planes set into simulated blind sweeps, with the abdomen's outline as truth."""

from fetal_iqa_training.data.textured.write import write_textured

__all__ = ["write_textured"]
