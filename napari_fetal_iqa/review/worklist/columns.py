"""What a list of sweeps shows: its columns, and by what it can be filtered.

A column is one entry of :data:`COLUMNS`: another fact of a sweep needs another entry, and nothing
else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from napari_fetal_iqa.counted import counted
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.io.discovery import SweepSource
from napari_fetal_iqa.review.worklist.facts import SweepFacts


@dataclass
class Row:
    """One sweep of a list.

    Parameters
    ----------
    source : SweepSource
    name : str
    facts : SweepFacts or None
        None until they were looked up.
    subject : str
        What the list calls its subject; empty where that is not known.
    """

    source: SweepSource
    name: str
    facts: SweepFacts | None = None
    subject: str = ""


class State(StrEnum):
    """Which sweeps of a list are shown."""

    ALL = "All sweeps"
    TO_REVIEW = "To review"
    NOT_ANALYSED = "Not analysed"
    CORRECTED = "Corrected"
    REVIEWED = "Reviewed"
    DISAGREE = "Reviewers disagree"
    NO_SUBJECT = "Subject not known"
    FAILED = "Failed"


def is_in(facts: SweepFacts | None, state: State) -> bool:
    """Return whether a sweep is shown; one of which nothing is known yet, only among all."""
    if state is State.ALL:
        return True
    if facts is None:
        return False
    return {
        State.TO_REVIEW: not facts.failed and not facts.reviewed,
        State.NOT_ANALYSED: not facts.failed and (facts.analysed or 0) < 1,
        State.CORRECTED: bool(facts.corrected),
        State.REVIEWED: bool(facts.reviewed),
        State.DISAGREE: facts.disagreements > 0,
        State.NO_SUBJECT: not facts.failed and facts.subject is None,
        State.FAILED: bool(facts.failed),
    }[state]


def state_in_words(facts: SweepFacts | None) -> str:
    """Return in a word or two how far a sweep is."""
    if facts is None:
        return "…"
    if facts.failed:
        return "! failed"
    if facts.reviewed:
        return "✓ reviewed"
    if facts.corrected:
        return "begun"
    if facts.analysed is None or facts.analysed == 0:
        return "new"
    return "analysed" if facts.analysed == 1 else f"{100 * facts.analysed:.0f} %"


_ORDER = ("! failed", "new", "analysed", "begun", "✓ reviewed")


def _state_key(facts: SweepFacts) -> float:
    words = state_in_words(facts)
    return float(_ORDER.index(words)) if words in _ORDER else 1 + (facts.analysed or 0)


@dataclass(frozen=True)
class Column:
    """One column of the list.

    Parameters
    ----------
    key, title : str
    help : str
        What it means: the tooltip of its title.
    text : callable
        Gives what is shown of a row.
    key_of : callable
        Gives by what rows are sorted, a number or a text; None, last, where it is not known.
    number : bool
        Numbers stand to the right.
    width : int
        In letters.
    words : tuple of str
        Texts that are never cut.
    """

    key: str
    title: str
    help: str
    text: Callable[[Row], str]
    key_of: Callable[[Row], float | str | None]
    number: bool = True
    width: int = 6
    words: tuple[str, ...] = ()


def _fact(name: str) -> Callable[[Row], float | None]:
    def value(row: Row) -> float | None:
        found = getattr(row.facts, name, None)
        return None if found is None else float(found)

    return value


def _count(name: str, nothing: str = "") -> Callable[[Row], str]:
    value = _fact(name)

    def text(row: Row) -> str:
        found = value(row)
        return nothing if not found else f"{found:.0f}"

    return text


def _so_far(facts: SweepFacts | None) -> bool:
    """Whether frames are left that neither the models nor this reviewer have seen."""
    return facts is not None and not facts.reviewed and (facts.analysed or 0) < 1


def _best(row: Row) -> str:
    best = row.facts.best_frame if row.facts else None
    if best is None:
        return ""
    if _so_far(row.facts):  # the abdomen may still come
        return "…" if best < 0 else f"{best}…"
    return "none" if best < 0 else str(best)


def _best_key(row: Row) -> float | None:
    best = _fact("best_frame")(row)
    return None if best is not None and best < 0 and _so_far(row.facts) else best


def _ac(row: Row) -> str:
    ac_mm = row.facts.ac_mm if row.facts else None
    return "" if ac_mm is None else f"{ac_mm:.1f}{'…' if _so_far(row.facts) else ''}"


def reason(row: Row) -> str:
    """Return in one line why a sweep cannot be read; empty where it can."""
    return row.facts.failed if row.facts else ""


def _reviewed(row: Row) -> str:
    return ", ".join(map(shown, row.facts.reviewed_by)) if row.facts else ""


COLUMNS = (
    Column(
        "name", "Sweep", "File or folder of the sweep", lambda row: row.name,
        lambda row: row.name.lower(), number=False, width=14,
    ),
    Column(
        "state", "State",
        "New, how much is analysed, begun, reviewed by you, or that it cannot be read",
        lambda row: state_in_words(row.facts),
        lambda row: _state_key(row.facts) if row.facts else None, number=False, width=8,
        words=_ORDER,
    ),
    Column(
        "ac", "AC mm", "Abdominal circumference at the best frame", _ac, _fact("ac_mm"),
        words=("888.8…",),
    ),
    Column(
        "best", "Best", "The frame to measure; … while frames are still to be analysed", _best,
        _best_key, words=("8888…",),
    ),
    Column(
        "subject", "Subj.",
        "Subject: sweeps with the same letter are of one subject. Names are kept as salted hashes "
        "alone; the table of a data set says its own",
        lambda row: row.subject,
        lambda row: row.subject.casefold().rjust(3) if row.subject else None,  # Z before AA
        number=False, width=5,
    ),
    Column(
        "corrected", "Corr.", "Frames that you corrected", _count("corrected"),
        _fact("corrected"),
    ),
    Column(
        "disagree", "Differ", "Frames of which two reviewers say otherwise",
        _count("disagreements"), _fact("disagreements"),
    ),
    Column("frames", "Frames", "Frames of the sweep", _count("frames"), _fact("frames")),
    Column(
        "reviewed", "Reviewed by", "Who looked at every frame", _reviewed,
        lambda row: _reviewed(row).lower() or None, number=False, width=12,
    ),
    Column(
        "failed", "Why it failed", "Why the sweep cannot be read", lambda row: reason(row),
        lambda row: reason(row) or None, number=False, width=40,
    ),
)  # fmt: skip
"""From left to right; where there is little room, the first are shown."""


def tooltip(row: Row) -> str:
    """Return all that is known of a sweep, in lines."""
    facts = row.facts
    lines = [row.name]
    if facts is None:
        return f"{row.name}\nNot looked at yet"
    if facts.failed:
        return f"{row.name}\nFailed: {facts.failed}"
    if facts.frames is not None:
        several = f", {facts.sweeps} sweeps" if facts.sweeps and facts.sweeps > 1 else ""
        lines.append(f"{counted(facts.frames, 'frame')}{several}")
    lines.append(_whose(row))
    if facts.identity is None:
        return "\n".join([*lines, "Not opened on this machine yet: nothing more is known"])
    analysed = facts.analysed or 0
    lines.append("Analysed" if analysed == 1 else f"{analysed:.0%} analysed by the models in use")
    if facts.best_frame is not None:
        so_far = _so_far(facts)
        measured = f", AC {facts.ac_mm:.1f} mm" if facts.ac_mm is not None else ", not measured"
        found = f"Best frame {'so far ' if so_far else ''}{facts.best_frame}{measured}"
        none = f"No frame {'analysed so far ' if so_far else ''}shows the abdomen"
        lines.append(found if facts.best_frame >= 0 else none)
    for name, count in facts.corrected_by.items():
        lines.append(f"{shown(name)} corrected {counted(count, 'frame')}")
    if facts.reviewed_by:
        lines.append(f"Fully reviewed by {_reviewed(row)}")
    if facts.disagreements:
        lines.append(f"Reviewers disagree on {facts.disagreements}")
    return "\n".join(lines)


def _whose(row: Row) -> str:
    if not row.subject:
        return "Subject not known"
    named = bool(row.facts and row.facts.subject and row.facts.subject.name)
    how = "by the table of its folder" if named else "kept as a salted hash, not by name"
    return f"Subject {row.subject}, {how}"


_SUBJECT = "subject:"


def subject_word(row: Row) -> str:
    """Return the word that finds all sweeps of a row's subject, and no others."""
    return f"{_SUBJECT}{'_'.join(row.subject.split())}".lower()


def matches(row: Row, text: str, state: State) -> bool:
    """Return whether a row is shown: its name, state or reviewers hold all the words of a text.

    ``subject:`` and what a subject is called is a word for exactly that.
    """
    if not is_in(row.facts, state):
        return False
    if not text:
        return True
    searched = f"{row.name} {state_in_words(row.facts)} {_reviewed(row)}".lower()
    whose = subject_word(row)
    return all(
        word == whose if word.startswith(_SUBJECT) else word in searched
        for word in text.lower().split()
    )
