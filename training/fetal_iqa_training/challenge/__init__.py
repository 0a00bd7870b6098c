"""The ACOUSLIC-AI challenge: its metrics, its submission folders, and scoring one by the other."""

from fetal_iqa_training.challenge.rules import Rules
from fetal_iqa_training.challenge.scoring import CaseScore, CaseTruth, score_case

__all__ = ["CaseScore", "CaseTruth", "Rules", "score_case"]
