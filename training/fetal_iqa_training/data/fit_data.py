"""What a fit learns from, chooses its epoch by and is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models import encoder_spec
from fetal_iqa_models.cards import Resize
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.fixed_copies import CopyRecipe, build_with_copies
from fetal_iqa_training.data.frame_set import (
    FrameSet,
    build_frame_set,
    hash_frames,
    hash_truth,
)
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, frames_of
from fetal_iqa_training.data.prepared import Prepared, open_part, read_prepared
from fetal_iqa_training.data.split import (
    SPLIT,
    CaseSplit,
    listed_cases,
    read_split,
    split_by_subject,
)
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.progress import Progress, Report
from fetal_iqa_training.settings import FitSettings


@dataclass(frozen=True)
class FitData:
    """Cases by their part, and where their frames at the network's size come from.

    Parameters
    ----------
    cases : CaseSplit
    image_size : int
        Of the network.
    split : str or None
        Hash of the list of the split; None where the seed decides.
    folder : Path or None
        What was built ahead; None where the data are read.
    prepared : Prepared or None
        What is in ``folder``.
    recipe : CopyRecipe or None
        Of the copies that are made once; None where there are none, or each epoch has its own.
    resize : "antialiased" or "published"
        Of the frames, where they are read.
    """

    cases: CaseSplit
    image_size: int
    split: str | None = None
    folder: Path | None = None
    prepared: Prepared | None = None
    recipe: CopyRecipe | None = None
    resize: Resize = "antialiased"

    @property
    def training_hash(self) -> str:
        """Hash of the training data; reads all of them unless they were built ahead."""
        if self.prepared is not None:
            return self.prepared.training.data_hash
        return hash_frames(frames_of(self.cases.training))

    @property
    def copies_seed(self) -> int | None:
        """Of the copies that are made once; None where there are none."""
        return None if self.recipe is None else self.recipe.seed

    def identity(self) -> dict[str, JsonValue]:
        """Hash all that fits of these data have in common: what taught, what chose, what judges.

        Reads everything but what was built ahead.

        Returns
        -------
        dict
            ``"data"`` that train, the list of the ``"split"``, ``"validation_data"``,
            ``"test_data"`` and the ``"copies_seed"``; None where there is none.
        """
        validation = (
            hash_frames(frames_of(self.cases.validation))
            if self.prepared is None
            else self.prepared.validation.data_hash
        )
        return {
            "data": self.training_hash,
            "split": self.split,
            "validation_data": validation,
            "test_data": hash_truth(frames_of(self.cases.test)) if self.cases.test else None,
            "copies_seed": self.copies_seed,
        }

    def frame_sets(self, work: Path, report: Report) -> tuple[FrameSet, FrameSet]:
        """Return the training frames, with copies, and the validation frames.

        Built in a work folder if need be.
        """
        if self.folder is not None and self.prepared is not None:
            n_copies = 0 if self.recipe is None else self.recipe.copies
            parts = (
                open_part(self.folder, self.prepared, "training", n_copies),
                open_part(self.folder, self.prepared, "validation"),
            )
            report(Progress("reading", len(parts), len(parts)))  # the first epoch begins here
            return parts
        return (
            self._built(self.cases.training, work / "training", report, self.recipe),
            self._built(self.cases.validation, work / "validation", report),
        )

    def _built(
        self,
        cases: Sequence[AnnotatedCase],
        folder: Path,
        report: Report,
        recipe: CopyRecipe | None = None,
    ) -> FrameSet:
        total = sum(case.n_sources for case in cases)

        def read(done: int) -> None:
            report(Progress("reading", done, total))

        frames = frames_of(cases)
        if recipe is None:
            return build_frame_set(frames, self.image_size, folder, read, self.resize)
        return build_with_copies(frames, self.image_size, folder, recipe, read)


def choose_data(
    data: Path, settings: FitSettings, split: Path | None = None, prepared: Path | None = None
) -> FitData:
    """Split a data set by a list, by what was built ahead, or by the seed.

    Parameters
    ----------
    data : Path
        Folder in the ACOUSLIC-AI or the HC18 layout.
    settings : FitSettings
    split : Path, optional
        List that ``fetal-iqa-train prepare acouslic`` wrote; shares and seed count for nothing.
    prepared : Path, optional
        Folder that it built; brings its own list. For the published recipe it is but a list: it
        resizes frames in another way, and they are read anew.

    Raises
    ------
    TrainingError, SweepError, ModelError
        Where the data cannot be used or split so, or what was built does not fit them or the
        encoder.
    """
    image_size = encoder_spec(settings.encoder).image_size
    seed = settings.seed if settings.split_seed is None else settings.split_seed
    resize: Resize = "published" if settings.recipe == "published" else "antialiased"

    def recipe(of_split: int | None) -> CopyRecipe | None:
        # by the seed of the split, be it drawn now, listed or built ahead: all runs and all rows
        # of one table see the same copies, whichever way each job was given the split
        if not settings.copies or settings.fresh_copies:
            return None
        return CopyRecipe(
            settings.copies, seed if of_split is None else of_split, settings.workers, resize
        )

    if prepared is not None:
        note = read_prepared(prepared, data, image_size)
        if split is not None and read_split(split).sha256 != note.split:
            raise TrainingError(
                f"{prepared}: was built for another split than {split}; leave --split away, or "
                "build it again"
            )
        split = prepared / SPLIT
        cases, listed = listed_cases(data, split)
        copied = recipe(listed.seed if note.copies_seed is None else note.copies_seed)
        if resize == "antialiased":
            return FitData(cases, image_size, listed.sha256, prepared, note, copied)
        return FitData(cases, image_size, listed.sha256, recipe=copied, resize=resize)
    if split is not None:
        cases, listed = listed_cases(data, split)
        copied = recipe(listed.seed)
        return FitData(cases, image_size, listed.sha256, recipe=copied, resize=resize)
    shares = settings.validation_share, settings.test_share
    chosen = split_by_subject(list_annotated(data), *shares, seed)
    return FitData(chosen, image_size, recipe=recipe(None), resize=resize)
