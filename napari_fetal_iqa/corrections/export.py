"""Corrections as a data set of their own, in the ACOUSLIC-AI layout."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from napari_fetal_iqa.corrections.corrected_sweeps import CorrectedSweep
from napari_fetal_iqa.errors import StoreError, SweepError
from napari_fetal_iqa.geometry.biometry import measure_abdomen
from napari_fetal_iqa.geometry.mask_codec import decode_mask
from napari_fetal_iqa.io.acouslic import SWEEPS_PER_CASE, AcouslicCase, write_case
from napari_fetal_iqa.labels import Label
from napari_fetal_iqa.sweep import SweepVolume


@dataclass(frozen=True)
class ExportedCase:
    """One corrected sweep volume, written as a case.

    Parameters
    ----------
    case : AcouslicCase
    optimal, suboptimal : int
        Frames with a mask of this value.
    not_outlined : int
        Frames labelled optimal or suboptimal that nobody outlined: the layout has no place for
        them, and who reads it takes them for frames without an abdomen.
    """

    case: AcouslicCase
    optimal: int
    suboptimal: int
    not_outlined: int


def export_case(folder: Path, corrected: CorrectedSweep, volume: SweepVolume) -> ExportedCase:
    """Write one corrected sweep volume into a data set folder; a second time replaces it.

    The case and its subject are named by the content identity, so no name of a file or of a
    patient gets into the data set. A mask counts as optimal where the frame is so labelled,
    else as suboptimal; where the label is "none", it is empty.

    The layout knows six sweeps of equal length. Six such sweeps are written as they are;
    fewer, or sweeps of several lengths, are padded with black frames: sweep ``s`` begins at
    frame ``s`` times the length of the longest, and black sweeps follow the last.

    The circumference of a sweep is that of its best frame: of the optimal frames, or of the
    suboptimal ones where there is none, that in the middle, or the next to it that an ellipse
    fits. It is None where no frame is outlined, or the spacing is not known.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    corrected : CorrectedSweep
        What counts of each frame, as fine-tuning learns it, with the sweeps' bounds as they were
        when they were corrected.
    volume : SweepVolume
        Of the same content identity.

    Raises
    ------
    StoreError
        Where a stored mask is damaged, or speaks of a frame that the sweep does not have.
    SweepError
        Where there are more than six sweeps, or the disk refuses.
    """
    record = corrected.record
    for correction in corrected.corrections:
        if not 0 <= correction.frame < record.shape[0]:
            raise StoreError(
                f"sweep {record.identity[:8]}: has no frame {correction.frame}; check the store"
            )
    if len(record.bounds) > SWEEPS_PER_CASE:
        raise SweepError(
            f"{volume.name}: has {len(record.bounds)} sweeps, and a case of the ACOUSLIC-AI layout "
            f"at most {SWEEPS_PER_CASE}; it cannot be exported"
        )
    volume = replace(
        volume, bounds=record.bounds, spacing_mm=volume.spacing_mm or record.spacing_mm
    )
    masks = np.zeros(volume.shape, np.uint8)
    values = np.zeros(len(volume), np.uint8)
    for frame, value, mask in _outlined(corrected):
        masks[frame][mask] = value
        values[frame] = value if mask.any() else Label.NONE
    ac_mm = [_circumference(volume, masks, values, sweep) for sweep in volume.bounds]
    uuid = str(UUID(record.identity[:32]))
    case = write_case(folder, uuid, *_in_six_sweeps(volume, masks), ac_mm, subject_id=uuid)
    return ExportedCase(
        case=case,
        optimal=int(np.count_nonzero(values == Label.OPTIMAL)),
        suboptimal=int(np.count_nonzero(values == Label.SUBOPTIMAL)),
        not_outlined=sum(
            bool(one.label) and not values[one.frame] for one in corrected.corrections
        ),
    )


def _outlined(corrected: CorrectedSweep) -> Iterator[tuple[int, Label, NDArray[np.bool_]]]:
    record = corrected.record
    for correction in corrected.corrections:
        if correction.mask is None:
            continue
        try:
            mask = decode_mask(correction.mask, record.shape[1:])
        except ValueError as error:
            raise StoreError(
                f"sweep {record.identity[:8]}: the mask of frame {correction.frame} is unusable "
                f"({error}); outline the frame again"
            ) from None
        yield correction.frame, correction.label or Label.SUBOPTIMAL, mask


def _circumference(
    volume: SweepVolume,
    masks: NDArray[np.uint8],
    values: NDArray[np.uint8],
    sweep: tuple[int, int],
) -> float | None:
    if volume.spacing_mm is None:
        return None
    for value in (Label.OPTIMAL, Label.SUBOPTIMAL):
        frames = sweep[0] + np.flatnonzero(values[slice(*sweep)] == value)
        middle = (len(frames) - 1) // 2
        for place in sorted(range(len(frames)), key=lambda place: abs(place - middle)):
            frame = int(frames[place])
            measured = measure_abdomen(masks[frame], volume.spacing_mm, volume.field_of_view)
            if measured is not None:
                return measured.circumference_mm
    return None


def _in_six_sweeps(
    volume: SweepVolume, masks: NDArray[np.uint8]
) -> tuple[SweepVolume, NDArray[np.uint8]]:
    lengths = [stop - start for start, stop in volume.bounds]
    longest = max(lengths)
    if lengths == [longest] * SWEEPS_PER_CASE:
        return volume, masks
    shape = (SWEEPS_PER_CASE * longest, *volume.shape[1:])
    frames, padded_masks = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for number, (start, stop) in enumerate(volume.bounds):
        place = slice(number * longest, number * longest + stop - start)
        frames[place] = np.asarray(volume.frames[start:stop])
        padded_masks[place] = masks[start:stop]
    return SweepVolume(frames, volume.spacing_mm, name=volume.name), padded_masks
