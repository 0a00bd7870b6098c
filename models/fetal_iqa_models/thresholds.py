"""From a network's output to a decision: the paper's thresholds, where a card has no others."""

QUALITY_THRESHOLD = 0.5
"""Least quality, the probability of FetalCLIP_CLS, of a frame that counts as positive."""

MASK_THRESHOLD = 0.5
"""Least probability, of FetalCLIP_SEG, of a pixel that counts as abdomen."""

AREA_THRESHOLD = 0.01
"""Least share of the padded square that a mask covers in a frame that counts as positive."""
