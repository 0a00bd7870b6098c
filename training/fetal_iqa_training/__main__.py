"""``python -m fetal_iqa_training`` is the command ``fetal-iqa-train``."""

from fetal_iqa_training.cli import main

main()
