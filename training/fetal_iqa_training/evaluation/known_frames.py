"""How many of the frames that judge a model it has seen before: a card knows its split."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from fetal_iqa_models.cards import Taught
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.datasets import list_annotated
from fetal_iqa_training.data.labelled_frames import AnnotatedCase, LabelledFrames
from fetal_iqa_training.data.split import cases_of_part, listed_cases
from fetal_iqa_training.errors import TrainingError
from fetal_iqa_training.settings import OwnPart


@dataclass(frozen=True)
class JudgedOn:
    """What a model was judged on, and what it knew of that.

    Parameters
    ----------
    what : str
        In words.
    frames, learnt, chose : int
        Frames in all; those of subjects that taught the model or an ancestor; and those of others
        that chose its epoch or its temperature.
    recorded : bool
        False where the card does not say what taught the model: the counts may be too small.
    """

    what: str
    frames: int
    learnt: int
    chose: int
    recorded: bool

    @property
    def remark(self) -> str | None:
        """Why the figures may be better than those on new data; None where nothing is known."""
        parts = [
            f"{count} of {self.frames} frames ({count / max(1, self.frames):.0%}) {words}"
            for count, words in (
                (self.learnt, "taught the model or an ancestor"),
                (self.chose, "chose its epoch or temperature"),
            )
            if count
        ]
        if not self.recorded:
            parts.append("its card does not say what taught it")
        return f"judged on {self.what}: {', '.join(parts)}" if parts else None

    def as_json(self) -> dict[str, JsonValue]:
        """Return what goes beside the figures; shares of the frames, 4 digits."""
        whole = max(1, self.frames)
        return {
            "what": self.what,
            "learnt_from": round(self.learnt / whole, 4),
            "chosen_by": round(self.chose / whole, 4),
            "recorded": self.recorded,
        }


def cases_to_judge(
    taught: Taught | None, data: Path, split: Path | None, part: OwnPart | None, default: OwnPart
) -> tuple[tuple[AnnotatedCase, ...], str]:
    """Choose the cases of a data set that judge a model, and say in words which they are.

    Parameters
    ----------
    taught : Taught or None
        Of the model's card.
    data : Path
        Folder in the ACOUSLIC-AI or the HC18 layout.
    split : Path, optional
        List of who is in which part; without it the model's own split decides.
    part : {"training", "validation", "test", "all"}, optional
        Of the split.
    default : {"training", "validation", "test"}
        The part where none is named: of a list, or of the model's own split where the data
        hold some of it; of other data everything.

    Raises
    ------
    TrainingError
        Where the part has no case.
    SweepError
        Where the folder is in neither layout.
    """
    if split is not None and part == "all":
        listed = listed_cases(data, split)[0]
        return (*listed.training, *listed.validation, *listed.test), "all parts of the list"
    if split is not None:
        chosen = part or default
        assert chosen != "all"
        return cases_of_part(data, split, chosen), f"the {chosen} part of the list"
    cases = list_annotated(data)
    if part == "all":
        return cases, "all annotated sweeps"
    own = _own(taught, cases, part or default)
    if own:
        return own, f"the {part or default} part of its own split"
    if part is not None:
        raise TrainingError(
            f"{data}: holds no case of the {part} part of the model's own split; give --split, or "
            "--part all"
        )
    return cases, "all annotated sweeps"


def _own(
    taught: Taught | None, cases: Sequence[AnnotatedCase], part: OwnPart
) -> tuple[AnnotatedCase, ...]:
    if taught is None:
        return ()
    asked = {
        "training": taught.learnt_from,
        "validation": taught.chosen_by,
        "test": taught.tested_on,
    }[part]
    return tuple(case for case in cases if asked([("case", case.name)]))


@dataclass
class Watched:
    """Counts, while frames pass to be judged, those that a model has seen before.

    A case is known by its name or by its frames, so that a copy under another name is, too; with
    it are all cases of its subject.
    """

    taught: Taught | None
    _frames: Counter[str] = field(default_factory=Counter)
    _learnt: set[str] = field(default_factory=set)
    _chose: set[str] = field(default_factory=set)

    def passing(self, sources: Iterable[LabelledFrames]) -> Iterator[LabelledFrames]:
        """Hand on frames as they are."""
        for source in sources:
            whose = source.subject or source.case or source.sweep
            self._frames[whose] += len(source.positive)
            if self.taught is not None:
                things: list[Thing] = [("frames", source.content)]
                if source.case:
                    things.append(("case", source.case))
                if self.taught.learnt_from(things):
                    self._learnt.add(whose)
                elif self.taught.chosen_by(things):
                    self._chose.add(whose)
            yield source

    def judged_on(self, what: str) -> JudgedOn:
        """Say what passed."""
        learnt = sum(self._frames[whose] for whose in self._learnt)
        chose = sum(self._frames[whose] for whose in self._chose - self._learnt)
        return JudgedOn(what, self._frames.total(), learnt, chose, self.taught is not None)
