"""The command ``fetal-iqa-train``: one module a command."""

from fetal_iqa_training.cli.app import main

__all__ = ["main"]
