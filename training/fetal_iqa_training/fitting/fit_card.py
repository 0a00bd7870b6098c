"""The card of a model that was fitted: what taught it, whose child it is, its licence."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import ModelCard, weights_record
from fetal_iqa_models.cards import Taught
from fetal_iqa_models.networks import Network
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.case_identity import things_of_case
from fetal_iqa_training.data.frame_set import FrameSet
from fetal_iqa_training.data.labelled_frames import AnnotatedCase
from fetal_iqa_training.data.split import CaseSplit
from fetal_iqa_training.fitting.frozen_encoder import encoder_is_trained
from napari_fetal_iqa.storage import paths
from napari_fetal_iqa.version import TOOL_VERSION

OWN_LICENCE = "BSD-3-Clause"
"""Of weights that were trained here from the start."""


def taught_by(
    cases: CaseSplit, frames: FrameSet, validation: FrameSet, parent: Network | None
) -> Taught:
    """Record who is on which side: cases by name and subject, and their frames by content."""
    if parent is not None and parent.card is not None and parent.hash is not None:
        before = parent.card.lineage(parent.hash)
    else:
        before = Taught.salted(frames.data_hash)

    def things(of: Sequence[AnnotatedCase], contents: Sequence[str] = ()) -> Iterator[Thing]:
        for case in of:
            yield from things_of_case(case.name, case.subject_id)
        yield from (("frames", content) for content in contents)

    return before.having(
        things(cases.training, frames.contents),
        things(cases.validation, validation.contents),
        things(cases.test),
    )


def _licence(of_weights: str | None, parent: Network | None) -> str:
    """Return the licence of what a model was made of, or ours where it was made of nothing."""
    inherited = None if parent is None or parent.card is None else parent.card.licence
    return of_weights or inherited or OWN_LICENCE


def card_of_fit(
    network: Network,
    weights: Path | None,
    data_hash: str,
    training: dict[str, JsonValue],
    demo: bool,
    parent: Network | None,
    temperature: float,
) -> ModelCard:
    """Make the card, still without metrics and without what taught the model."""
    spec = network.encoder.spec
    return ModelCard(
        name=f"{spec.name} {network.task}" + (", demo" if demo else ""),
        task=network.task,
        encoder=spec.name,
        encoder_weights="own"
        if weights is None or encoder_is_trained(network)
        else weights_record(weights, paths.weights()),
        image_size=spec.image_size,
        temperature=temperature,
        licence=_licence(spec.licence if weights is not None else None, parent),
        parent=None if parent is None else parent.hash,
        training_data=data_hash,
        training=training,
        demo=demo,
        tool_version=TOOL_VERSION,
    )
