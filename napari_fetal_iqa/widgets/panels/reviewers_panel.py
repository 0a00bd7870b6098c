"""Whose corrections are shown, and how far two reviewers agree; hidden while there is one alone."""

import html
from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_fetal_iqa import colours
from napari_fetal_iqa.corrections.agreement import Agreement
from napari_fetal_iqa.foreign_text import shown
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.theme import show_rich


class ReviewersPanel(QWidget):
    """A choice of reviewers and a line on their agreement.

    ``show_requested`` names the reviewer whose corrections are wanted, ``compare_requested`` the
    one to be compared with.
    """

    show_requested = Signal(str)
    compare_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._offered: tuple[str, ...] = ()
        self.choice = QComboBox()
        self.choice.setAccessibleName("Whose corrections are shown")
        self.choice.setToolTip("Show your corrections, another reviewer's, or where you disagree")
        self.choice.activated.connect(self._ask)
        self.agreement = ElidingLabel()
        self.agreement.setToolTip(
            "Cohen's kappa of the labels and mean Dice of the outlines of the frames that both "
            "corrected; a Dice below 0.8 is a disagreement"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.choice)
        column.addWidget(self.agreement)
        self.hide()

    def offer(self, reviewer: str, others: Sequence[str]) -> None:
        """Offer the reviewers of a sweep; the first choice is the reviewer's own corrections."""
        self.setVisible(bool(others))
        if self._offered == (reviewer, *others):
            return
        self._offered = (reviewer, *others)
        self.choice.clear()  # then the first is chosen; show_choice tells otherwise
        for name in (reviewer, *others):
            on_screen = shown(name)
            self.choice.addItem(f"Corrections of {on_screen}", (False, name))
            if name != reviewer:
                self.choice.addItem(f"Where {on_screen} disagrees", (True, name))
        self.show_agreement(None)

    def show_choice(self, shown_reviewer: str, compared_with: str | None) -> None:
        """Show which choice is on the screen, whatever was offered before."""
        wanted = (compared_with is not None, compared_with or shown_reviewer)
        for index in range(self.choice.count()):
            if tuple(self.choice.itemData(index)) == wanted:
                self.choice.setCurrentIndex(index)

    def _ask(self, index: int) -> None:
        compare, name = self.choice.itemData(index)
        (self.compare_requested if compare else self.show_requested).emit(name)

    def show_agreement(self, agreement: Agreement | None) -> None:
        """Describe how far two reviewers agree; nothing where nobody is compared."""
        self.agreement.setVisible(agreement is not None)
        if agreement is not None:
            show_rich(self.agreement, _described(agreement))


def _described(agreement: Agreement) -> str:
    other = html.escape(shown(agreement.reviewers[1]))
    if not agreement.labelled and not agreement.outlined and not agreement.criteria:
        return f"{other} and you corrected no frame in common"
    kappa = "" if agreement.kappa is None else f", kappa {agreement.kappa:.2f}"
    parts = [f"{_counted(agreement.labelled, 'label')}{kappa}"]
    if agreement.dice is not None:
        parts.append(f"{_counted(agreement.outlined, 'outline')}, Dice {agreement.dice:.2f}")
    if agreement.criteria:
        alike = ", ".join(
            f"{one.criterion.words.lower()} {one.same} of {one.judged}"
            for one in agreement.criteria
        )
        parts.append(f"criteria alike: {alike}")
    to_settle = _counted(len(agreement.disagreements), "frame")
    return (
        f"Both: {'; '.join(parts)}.<br>{to_settle} to settle, marked ✕; outlines of "
        f"{other} are <span style='color:{colours.OTHER}'>purple</span>"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
