"""What counts of one frame where several reviewers spoke: for export and for fine-tuning."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from napari_fetal_iqa.corrections.history import FrameCorrection, latest
from napari_fetal_iqa.labels import Label


def consensus(states: Sequence[FrameCorrection]) -> FrameCorrection:
    """Join what several reviewers say of one frame.

    The label that most of them gave counts; of labels that equally many gave, the latest. The
    latest mask among those who gave that label counts, or else the latest of all. A frame
    labelled "none" has no mask: what is outlined on it was outvoted, or drawn before the label.

    Parameters
    ----------
    states : sequence of FrameCorrection
        One of each reviewer.
    """
    votes = Counter(state.label for state in states if state.label is not None)
    joined = latest(states)
    if len(states) > 1 and votes:
        most = max(votes.values())
        labelled = [s for s in states if s.label is not None and votes[s.label] == most]
        label = max(labelled, key=lambda state: state.label_time).label
        agreeing = [s for s in states if s.label is label and s.mask is not None]
        joined = replace(joined, label=label, mask=latest(agreeing or states).mask)
    return replace(joined, mask=None) if joined.label is Label.NONE else joined
