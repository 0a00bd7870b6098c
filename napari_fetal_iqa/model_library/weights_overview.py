"""The pretrained weights that there are for each encoder, here and elsewhere."""

from dataclasses import dataclass

import fetal_iqa_models
from fetal_iqa_models.errors import shown
from fetal_iqa_models.registry import EncoderSpec
from fetal_iqa_models.weights.store import StoredWeights, WeightsStore
from napari_fetal_iqa.storage import paths


@dataclass(frozen=True)
class WeightsRow:
    """An encoder and its published weights.

    Parameters
    ----------
    name : str
        Of the encoder.
    licence, terms : str
        The licence; and with it what it allows.
    restricted : bool
        Whether the licence must be accepted before the weights are fetched.
    size, origin, state : str
        In words.
    here : bool
        Whether the published weights are on this machine.
    page : str
        Where a person must download the file; empty where it can be fetched.
    """

    name: str
    licence: str
    terms: str
    restricted: bool
    size: str
    origin: str
    state: str
    here: bool
    page: str = ""


def weights_rows() -> list[WeightsRow]:
    """Return a row for each encoder that has published weights, or some here."""
    here = WeightsStore(paths.weights()).entries()
    rows = []
    for name in fetal_iqa_models.list_encoders():
        spec = fetal_iqa_models.encoder_spec(name)
        kept = [stored for stored in here if stored.header.encoder == name]
        if spec.weights_of is None and (kept or spec.source is not None or spec.shipped):
            rows.append(_row(spec, kept))
    return rows


def _row(spec: EncoderSpec, kept: list[StoredWeights]) -> WeightsRow:
    return WeightsRow(
        spec.name,
        spec.licence,
        spec.terms,
        spec.restricted,
        size(spec),
        origin(spec),
        ", ".join(in_words(stored) for stored in kept) or ("here" if spec.shipped else "not here"),
        spec.shipped or any(stored.published for stored in kept),
        (spec.source.page or "") if spec.source else "",
    )


def in_words(stored: StoredWeights) -> str:
    """Say which file some stored weights were made of."""
    what = "the published file" if stored.published else "not the published file"
    header = stored.header
    megabytes = f"{header.source_size / 1e6:.1f} MB"
    named = shown([header.source_file])
    return f"{what} ({named}, {megabytes}, sha256 {header.source_sha256[:12]}…)"


def origin(spec: EncoderSpec) -> str:
    """Say where the weights of an encoder are published; empty where nowhere."""
    if spec.shipped:
        return "comes with this program"
    source = spec.source
    if source is None:
        return ""
    sha256 = "" if source.sha256 is None else f", sha256 {source.sha256[:12]}…"
    return f"{source.repository} {source.file} ({source.revision}{sha256})"


def size(spec: EncoderSpec) -> str:
    """Say how large the published weights are; nothing of those that need no fetching."""
    if spec.shipped:
        return ""
    known = spec.source.size if spec.source else None
    return f"{known / 1e6:.0f} MB" if known else "size unknown"
