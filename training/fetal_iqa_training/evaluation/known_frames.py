"""How many of the frames that judge a model it has seen before: a card knows its split."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from fetal_iqa_models.cards import Taught
from fetal_iqa_models.taught import Thing
from fetal_iqa_training.data.case_identity import things_of_case
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
        False where the card does not say what taught the model or an ancestor: the counts may be
        too small.
    every_subject : bool
        False where an earlier version wrote the card, which may lack subjects that taught: these,
        too, may be too few.
    """

    what: str
    frames: int
    learnt: int
    chose: int
    recorded: bool
    every_subject: bool = True

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
            parts.append("its card does not say what taught it, or an ancestor")
        elif not self.every_subject:
            parts.append(
                "its card is of an earlier version, which did not note every subject that taught it"
            )
        return f"judged on {self.what}: {', '.join(parts)}" if parts else None

    def as_json(self) -> dict[str, JsonValue]:
        """Return what goes beside the figures; shares of the frames, 4 digits."""
        whole = max(1, self.frames)
        return {
            "what": self.what,
            "learnt_from": round(self.learnt / whole, 4),
            "chosen_by": round(self.chose / whole, 4),
            "recorded": self.recorded and self.every_subject,
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
    own = own_part(taught, cases, part or default)
    if own.cases:
        return own.cases, f"the {part or default} part of its own split{own.remark}"
    if part is not None:
        raise TrainingError(
            f"{data}: holds no case of the {part} part of the model's own split{own.remark}; give "
            "--split, or --part all"
        )
    return cases, f"all annotated sweeps{own.remark}"


class OwnCases(NamedTuple):
    """The cases of one part of a model's own split, and what must be said of them."""

    cases: tuple[AnnotatedCase, ...]
    remark: str = ""


def own_part(taught: Taught | None, cases: Sequence[AnnotatedCase], part: OwnPart) -> OwnCases:
    """Find the cases of one part of a model's own split: of the same names and the same frames.

    The frames of cases that the card names are read to be compared. Of a card that has the names
    of its test part alone, these are compared, and the remark says so.
    """
    if taught is None:
        return OwnCases(())
    asked = {
        "training": taught.learnt_from,
        "validation": taught.chosen_by,
        "test": taught.tested_on,
    }[part]
    named = [case for case in cases if asked([("case", case.name)])]
    if named and part == "test" and not taught.tested_by_content:
        return OwnCases(tuple(named), ", by case names alone: its card has no hash of the frames")
    own = tuple(
        case for case in named if all(asked([("frames", one.content)]) for one in case.read())
    )
    others = len(named) - len(own)
    remark = f", without {others} of these names that hold other frames" if own else ""
    remark = remark or f", {others} of them named as in its own split but with other frames"
    return OwnCases(own, remark if others else "")


@dataclass
class Watched:
    """Counts, while frames pass to be judged, those that a model has seen before.

    A case is known by its name or by its frames, so that a copy under another name is, too; with
    it are all cases of its subject, also where the subject taught by other cases on this machine.

    Parameters
    ----------
    taught : Taught or None
        Of the model's card.
    others : tuple of (Taught or None)
        Of further models that are judged together with it: what any of them knew counts.
    """

    taught: Taught | None
    others: tuple[Taught | None, ...] = ()
    _frames: Counter[str] = field(default_factory=Counter)
    _learnt: set[str] = field(default_factory=set)
    _chose: set[str] = field(default_factory=set)
    _whose: dict[str, str] = field(default_factory=dict)
    _doubtful: set[str] = field(default_factory=set)

    def passing(self, sources: Iterable[LabelledFrames]) -> Iterator[LabelledFrames]:
        """Hand on frames as they are."""
        for source in sources:
            whose = source.subject or source.case or source.sweep
            self._frames[whose] += len(source.positive)
            self._whose[source.case] = whose
            things: list[Thing] = [("frames", source.content)]
            if source.case:
                things += things_of_case(source.case, source.subject)
            for taught in (self.taught, *self.others):
                if taught is not None and taught.learnt_from(things):
                    self._learnt.add(whose)
                elif taught is not None and taught.chosen_by(things):
                    self._chose.add(whose)
                if taught is not None and taught.may_lack(things):
                    self._doubtful.add(whose)
            yield source

    @property
    def cases_seen(self) -> frozenset[str]:
        """Names of the cases that passed and taught a model, or chose its epoch or temperature."""
        seen = self._learnt | self._chose
        return frozenset(case for case, whose in self._whose.items() if whose in seen)

    def judged_on(self, what: str) -> JudgedOn:
        """Say what passed."""
        learnt = sum(self._frames[whose] for whose in self._learnt)
        chose = sum(self._frames[whose] for whose in self._chose - self._learnt)
        recorded = all(one is not None and one.known for one in (self.taught, *self.others))
        named = self._doubtful <= self._learnt
        return JudgedOn(what, self._frames.total(), learnt, chose, recorded, named)
