"""What a store holds, counted by sweep and reviewer."""

from collections import Counter
from dataclasses import dataclass

from napari_fetal_iqa.corrections.agreement import Agreement, agreements
from napari_fetal_iqa.corrections.rows import SweepRecord
from napari_fetal_iqa.corrections.store import CorrectionStore
from napari_fetal_iqa.labels import Label


@dataclass(frozen=True)
class ReviewerCounts:
    """How much of a sweep one reviewer has corrected, as it stands now.

    Parameters
    ----------
    reviewer : str
    optimal, suboptimal, none : int
        Frames by label.
    masks : int
        Frames whose mask the reviewer set, be it to an empty one.
    accepted : int
        Frames whose corrections all confirm the model.
    calipers : int
        Free ones.
    judged : int
        Frames of which a criterion of the plane was judged.
    last : str
        When the reviewer spoke last, UTC, ISO 8601.
    """

    reviewer: str
    optimal: int
    suboptimal: int
    none: int
    masks: int
    accepted: int
    calipers: int
    judged: int
    last: str

    @property
    def labelled(self) -> int:
        """Frames with a label."""
        return self.optimal + self.suboptimal + self.none


@dataclass(frozen=True)
class SweepOverview:
    """The corrections of one sweep, counted.

    Parameters
    ----------
    identity : str
        Content identity.
    frames : int
    reviewers : tuple of ReviewerCounts
    agreements : tuple of Agreement
        Of every two reviewers that spoke of a frame in common.
    """

    identity: str
    frames: int
    reviewers: tuple[ReviewerCounts, ...]
    agreements: tuple[Agreement, ...]


def overview(store: CorrectionStore) -> tuple[SweepOverview, ...]:
    """Count what a store holds, sweep by sweep, in the order in which they were first opened.

    Raises
    ------
    StoreError
        Where the store cannot be read, or a mask that is compared is damaged.
    """
    return tuple(
        SweepOverview(
            identity=record.identity,
            frames=record.shape[0],
            reviewers=tuple(
                _counts(store, record, name) for name in store.reviewers(record.identity)
            ),
            agreements=agreements(store, record),
        )
        for record in store.sweeps()
    )


def _counts(store: CorrectionStore, record: SweepRecord, reviewer: str) -> ReviewerCounts:
    states = store.corrections(record.identity, reviewer).values()
    labels = Counter(state.label for state in states)
    return ReviewerCounts(
        reviewer=reviewer,
        optimal=labels[Label.OPTIMAL],
        suboptimal=labels[Label.SUBOPTIMAL],
        none=labels[Label.NONE],
        masks=sum(state.mask is not None for state in states),
        accepted=sum(state.accepted for state in states),
        calipers=len(store.calipers(record.identity, reviewer)),
        judged=len(store.verdicts(record.identity, reviewer)),
        last=store.history(record.identity, reviewer).end,
    )
