"""Fetch an encoder's published weights: licence, download, import."""

from pathlib import Path

from fetal_iqa_models.atomic_file import clear_abandoned
from fetal_iqa_models.errors import StoreError, WeightsError
from fetal_iqa_models.registry import WeightsSource, encoder_spec
from fetal_iqa_models.weights.downloading import Progress, clear_downloads, download
from fetal_iqa_models.weights.hub import HubError, page
from fetal_iqa_models.weights.importing import import_weights
from fetal_iqa_models.weights.store import StoredWeights, WeightsStore


def fetch_weights(
    encoder: str,
    store: WeightsStore,
    accept_licence: bool = False,
    progress: Progress | None = None,
) -> StoredWeights:
    """Have an encoder's published weights in the store: download and import them if need be.

    The login of this machine (``hf auth login``, or ``HF_TOKEN``) goes to the hub and to no
    other server.

    Parameters
    ----------
    encoder : str
        One of :func:`~fetal_iqa_models.list_encoders`.
    store : WeightsStore
        What a broken download has brought stays in its folder ``downloads``, for this encoder.
    accept_licence : bool
        Must be true where the licence restricts the use, for a first fetch.
    progress : callable, optional
        Called with bytes here and bytes in all.

    Returns
    -------
    StoredWeights

    Raises
    ------
    ModelError
        Where there is no such encoder.
    WeightsError
        Where it has no published weights, the licence is not accepted, or the weights cannot
        be downloaded, checked or kept; the message says how to do it by hand.
    """
    spec = encoder_spec(encoder)
    source = spec.source
    if source is None:
        raise WeightsError(f"{encoder} has no published weights; import a file of your own")
    clear_abandoned(store.folder)
    if here := _published(encoder, store):
        clear_downloads(_downloads(encoder, store))  # it may have come in another way
        return here
    if source.page is not None:
        raise WeightsError(
            f"the weights of {encoder} ({spec.terms}) are not on the hub: download "
            f"{source.page} and give it to: weights import {encoder} {source.file}",
            f"the weights of {encoder} ({spec.terms}) cannot be fetched: download "
            f"{source.page}, then import the file",
        )
    if spec.restricted and not accept_licence:
        raise WeightsError(
            f"the weights of {encoder} ({source.repository}) are under {spec.terms}; "
            "if you accept that, fetch them with --accept-licence",
            f"the weights of {encoder} ({source.repository}) are under {spec.terms}; accept the "
            "licence first",
        )
    try:
        return _fetch(encoder, source, store, progress)
    except WeightsError:
        if here := _published(encoder, store):  # another process was quicker
            return here
        raise


def _published(encoder: str, store: WeightsStore) -> StoredWeights | None:
    return next((stored for stored in store.entries(encoder) if stored.published), None)


def _downloads(encoder: str, store: WeightsStore) -> Path:
    return store.folder / "downloads" / encoder


def _fetch(
    encoder: str, source: WeightsSource, store: WeightsStore, progress: Progress | None
) -> StoredWeights:
    try:
        fetched = download(source, _downloads(encoder, store), progress)
    except HubError as error:
        raise HubError(
            f"{error}. By hand: download {page(source)} and give it to: "
            f"weights import {encoder} {source.file}",
            f"{error.in_window}. By hand: download {page(source)}, then import the file",
        ) from error
    try:
        stored = import_weights(
            encoder,
            fetched.path,
            store,
            source_file=source.file,
            source_repository=f"{source.repository}@{fetched.commit}",
        )
    except StoreError:  # the download is sound, and the disk may have room later
        raise
    except WeightsError as error:
        clear_downloads(fetched.path.parent)  # else it would count as finished for ever
        gone = "what was downloaded is deleted"
        raise WeightsError(f"{error}; {gone}", f"{error.in_window}; {gone}") from error
    clear_downloads(fetched.path.parent)
    return stored
