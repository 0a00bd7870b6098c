"""From events to the state of each frame: undo, audit and replay come from one idea."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from napari_fetal_iqa.corrections.events import MET, Event, EventKind
from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.geometry.caliper import Caliper, CaliperMeasure
from napari_fetal_iqa.geometry.mask_codec import outlines_something
from napari_fetal_iqa.labels import Label


@dataclass(frozen=True)
class FrameCorrection:
    """What counts of one frame now; None where the model's prediction stands.

    Of the label "none" and an outline the later holds: an outline that was drawn after the label
    takes the label back, and one that was drawn before it is no :attr:`outline` any more.

    Parameters
    ----------
    frame : int
    label : Label or None
    mask : bytes or None
        Packed by :func:`~napari_fetal_iqa.geometry.mask_codec.encode_mask`.
    accepted : bool
        All of it confirms the model.
    reviewer : str
        Who spoke last.
    time : str
        When, UTC.
    label_time, mask_time : str
        When the label and the mask were set; empty where they were not. A label that was taken
        back by an outline keeps its time: no earlier one holds in its stead.
    """

    frame: int
    label: Label | None
    mask: bytes | None
    accepted: bool
    reviewer: str
    time: str
    label_time: str = ""
    mask_time: str = ""

    @property
    def outline(self) -> bytes | None:
        """The mask that counts; None, too, where the label "none" was said after it."""
        return None if _is_refused(self.label, self.mask) else self.mask


def _is_refused(label: Label | None, mask: bytes | None) -> bool:
    """Whether a label says that there is nothing to outline where there is an outline."""
    return label is Label.NONE and mask is not None and outlines_something(mask)


@dataclass(frozen=True)
class PlacedCaliper:
    """A free caliper that lies on a frame now.

    Parameters
    ----------
    mark : str
        Its own name.
    frame : int
    caliper : Caliper
    reviewer : str
    time : str
        When it was placed or moved last, UTC.
    measure : CaliperMeasure or None
        What it measures, where somebody named it.
    """

    mark: str
    frame: int
    caliper: Caliper
    reviewer: str
    time: str
    measure: CaliperMeasure | None = None


def latest(states: Sequence[FrameCorrection]) -> FrameCorrection:
    """Join the corrections of one frame in several places: the latest label and the latest mask."""
    label = max(states, key=lambda state: state.label_time)
    mask = max(states, key=lambda state: state.mask_time)
    last = max(states, key=lambda state: state.time)
    drawn_after = mask is not label and not mask.accepted and mask.mask_time > label.label_time
    taken_back = drawn_after and _is_refused(label.label, mask.mask)
    return replace(
        last,
        label=None if taken_back else label.label,
        mask=mask.mask,
        label_time=label.label_time,
        mask_time=mask.mask_time,
        accepted=label.accepted and mask.accepted,
    )


def _time_of(event: Event) -> str:
    return event.time


_MARKED = (EventKind.CALIPER, EventKind.CRITERION, EventKind.NAMING)
"""Kinds that speak of one of several things on a frame, by its name."""


def _measure_of(naming: Event | None, caliper: Caliper) -> CaliperMeasure | None:
    """Return what a caliper measures; a distance is no circumference, whoever says so."""
    if naming is None or naming.word is None:
        return None
    measure = CaliperMeasure(naming.word)
    return measure if measure.kind is caliper.kind else None


class _Action:
    """Events of one user action, and since when they count."""

    def __init__(self) -> None:
        self.events: list[tuple[int, Event]] = []
        self.redone = -1

    def rank(self, place: int) -> tuple[int, int]:
        """Order of an event among those that count: what is redone counts as said again."""
        return max(place, self.redone), place


def _never(event: Event) -> bool:
    return False


class History:
    """The events of one reviewer on one sweep, replayed in the order of their time.

    Parameters
    ----------
    events : iterable of Event
        The earliest first.
    said_elsewhere : callable
        Whether an event comes from another desk, at which the same reviewer sits: it counts, but
        undo and redo here pass it over.

    Attributes
    ----------
    end : str
        Time of the last of them, UTC; empty where there is none.
    """

    def __init__(
        self,
        events: Iterable[Event] = (),
        said_elsewhere: Callable[[Event], bool] = _never,
    ) -> None:
        self.end = ""
        self._events: dict[str, Event] = {}
        self._said_elsewhere = said_elsewhere
        self._elsewhere: set[str] = set()
        self._actions: dict[str, _Action] = {}
        # dicts keep an order and forget fast: a made-up store may undo one thing a thousand times
        self._done: dict[str, None] = {}
        self._undone: dict[str, None] = {}
        self._by_frame: dict[int, list[tuple[int, Event]]] = {}
        self._marked: dict[int, dict[str, None]] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take one more event into account."""
        self.end = max(self.end, event.time)
        self._events[event.uid] = event
        if event.kind is EventKind.UNDO:
            self._undo(event.action)
        elif event.kind is EventKind.REDO:
            self._redo(event.action)
        else:
            if event.action not in self._actions:
                self._actions[event.action] = _Action()
                self._done[event.action] = None
                if self._said_elsewhere(event):
                    self._elsewhere.add(event.action)
                else:
                    self._undone.clear()
            placed = (len(self._events), event)
            self._actions[event.action].events.append(placed)
            self._by_frame.setdefault(event.frame, []).append(placed)
            if event.kind in _MARKED:
                self._marked.setdefault(event.frame, {})[event.mark] = None

    def events(self) -> tuple[Event, ...]:
        """Return all that was said, be it undone or not."""
        return tuple(self._events.values())

    def knows(self, uid: str) -> bool:
        """Return whether an event is part of the history, be it undone or not."""
        return uid in self._events

    def with_more(self, events: Sequence[Event]) -> tuple["History", list[Event]]:
        """Return the history with events from the file in it, and those that were not known.

        It is this one, unless some of them are earlier than what is known: clocks of two desks
        differ, and what waits to be written is written late.
        """
        fresh = [event for event in events if event.uid not in self._events]
        if all(event.time >= self.end for event in fresh):
            for event in sorted(fresh, key=_time_of):
                self.apply(event)
            return self, fresh
        replayed = sorted([*self._events.values(), *fresh], key=_time_of)
        return History(replayed, self._said_elsewhere), fresh

    def _undo(self, action: str) -> None:
        if action in self._done:
            del self._done[action]
            self._undone[action] = None

    def _redo(self, action: str) -> None:
        # not only what is undone: where two copies of a store were merged, something new from
        # the one may have come between an undo and a redo of the other
        if action in self._actions and action not in self._done:
            self._undone.pop(action, None)
            self._done[action] = None
            self._actions[action].redone = len(self._events)

    @property
    def next_undo(self) -> str | None:
        """Action that an undo would take back."""
        return next((act for act in reversed(self._done) if act not in self._elsewhere), None)

    @property
    def next_redo(self) -> str | None:
        """Action that a redo would bring back."""
        return next((act for act in reversed(self._undone) if act not in self._elsewhere), None)

    def frames_of(self, action: str) -> list[int]:
        """Frames that an action touched, in order."""
        done = self._actions.get(action)
        return sorted({event.frame for _, event in done.events}) if done else []

    def _last(self, frame: int, kind: EventKind) -> tuple[Event | None, tuple[int, int]]:
        """Return the last label or mask that counts on a frame, and its rank."""
        counting = self._counting(frame, kind)
        rank, event = max(counting, key=lambda ranked: ranked[0], default=((-1, -1), None))
        return event, rank

    def calipers(self, frame: int | None = None) -> tuple[PlacedCaliper, ...]:
        """Return the free calipers on a frame, or on all by frame, in the order of their placing.

        One that was moved to another frame, as a merge of two stores may tell it, lies on both.
        """
        placed = []
        for at in sorted(self._marked) if frame is None else [frame]:
            last = self._last_of_marks(at, EventKind.CALIPER)
            named = self._last_of_marks(at, EventKind.NAMING)
            for mark in self._marked.get(at, ()):
                event, naming = last.get(mark), named.get(mark)
                if event is not None and event.caliper is not None:
                    measure = _measure_of(naming, event.caliper)
                    placed.append(
                        PlacedCaliper(mark, at, event.caliper, event.reviewer, event.time, measure)
                    )
        return tuple(placed)

    def verdicts(self, frame: int) -> dict[Criterion, bool]:
        """Return what the reviewer says of the criteria of a frame, in their order."""
        if frame not in self._marked:  # of most frames nothing is said
            return {}
        last = self._last_of_marks(frame, EventKind.CRITERION)
        said = {one: last[one].word for one in Criterion if one in last}
        return {one: word == MET for one, word in said.items() if word is not None}

    def all_verdicts(self) -> dict[int, dict[Criterion, bool]]:
        """Return the same of every frame of which anything is said, by frame number."""
        found = {frame: self.verdicts(frame) for frame in sorted(self._marked)}
        return {frame: verdicts for frame, verdicts in found.items() if verdicts}

    def _last_of_marks(self, frame: int, kind: EventKind) -> dict[str, Event]:
        """Return the last event that counts of each caliper or criterion, by its name."""
        best: dict[str, tuple[tuple[int, int], Event]] = {}
        for rank, event in self._counting(frame, kind):
            if event.mark not in best or rank > best[event.mark][0]:
                best[event.mark] = rank, event
        return {mark: event for mark, (_, event) in best.items()}

    def _counting(self, frame: int, kind: EventKind) -> Iterator[tuple[tuple[int, int], Event]]:
        """Yield the events of a kind that count on a frame, each with its rank."""
        for place, event in self._by_frame.get(frame, ()):
            if event.kind is kind and event.action in self._done:
                yield self._actions[event.action].rank(place), event

    def frame(self, frame: int) -> FrameCorrection | None:
        """Return the state of one frame, or None where the model's word stands alone."""
        label, labelled = self._last(frame, EventKind.LABEL)
        mask, outlined = self._last(frame, EventKind.MASK)
        current = [e for e in (label, mask) if e and (e.label is not None or e.mask is not None)]
        if not current:
            return None
        # an accepted outline is the model's, which the label "none" was said of
        taken_back = (
            label is not None
            and mask is not None
            and _is_refused(label.label, mask.mask)
            and outlined > labelled
            and mask.action != label.action
            and not mask.accepted
        )
        return FrameCorrection(
            frame=frame,
            label=label.label if label and not taken_back else None,
            mask=mask.mask if mask else None,
            accepted=all(event.accepted for event in current),
            reviewer=current[0].reviewer,
            time=max(event.time for event in current),
            label_time=label.time if label and label.label is not None else "",
            mask_time=mask.time if mask and mask.mask is not None else "",
        )

    def state(self) -> dict[int, FrameCorrection]:
        """Return every corrected frame and its state, by frame number."""
        states = (self.frame(frame) for frame in sorted(self._by_frame))
        return {state.frame: state for state in states if state}
