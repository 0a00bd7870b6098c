"""Folded away: the six criteria of the frame's plane, a box each, and the score out of six."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

from napari_fetal_iqa.criteria import Criterion
from napari_fetal_iqa.review.plane_criteria import JudgedPlane
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.panels.folded_section import FoldedSection
from napari_fetal_iqa.widgets.shortcuts import Action, key_of, with_key

ACTIONS = {
    Criterion.SYMMETRICAL: Action.JUDGE_SYMMETRICAL,
    Criterion.STOMACH: Action.JUDGE_STOMACH,
    Criterion.PORTAL_SINUS: Action.JUDGE_PORTAL_SINUS,
    Criterion.NO_KIDNEYS: Action.JUDGE_NO_KIDNEYS,
    Criterion.FILLS_IMAGE: Action.JUDGE_FILLS_IMAGE,
    Criterion.ELLIPSE_PLACED: Action.JUDGE_ELLIPSE_PLACED,
}
"""The key of each criterion, in the one table of keys."""

_TIPS = {
    Criterion.SYMMETRICAL: "The section is round and both its halves are alike",
    Criterion.STOMACH: "The stomach bubble is seen, dark",
    Criterion.PORTAL_SINUS: "The umbilical vein is seen where it enters the portal sinus",
    Criterion.NO_KIDNEYS: "Neither kidney is seen: with one, the section lies too low",
    Criterion.FILLS_IMAGE: "The outline is at least 30 % of the fan",
    Criterion.ELLIPSE_PLACED: "The ellipse follows the outer edge of the skin, all of it in view",
}
_MARKS = {
    None: (Qt.CheckState.PartiallyChecked, "not judged"),
    True: (Qt.CheckState.Checked, "met"),
    False: (Qt.CheckState.Unchecked, "not met"),
}


class CriterionBox(QCheckBox):
    """A box with three states, which shows what is stored: a click changes nothing by itself."""

    def nextCheckState(self) -> None:
        """Stay as it is; the review says what follows."""


class CriteriaPanel(FoldedSection):
    """Boxes of the six criteria; ``action_requested`` tells which was clicked.

    Checked is met, empty not met, a dash not judged. What the outline tells is filled in and said
    to be computed until somebody judges it.
    """

    action_requested = Signal(object)  # Action

    def __init__(self) -> None:
        super().__init__("Plane criteria", "Why this frame is good: six criteria, a point each")
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(0, 1)
        self.boxes: dict[Criterion, CriterionBox] = {}
        self.sources: dict[Criterion, QLabel] = {}
        for row, (criterion, action) in enumerate(ACTIONS.items()):
            box, source = CriterionBox(criterion.words), QLabel(key_of(action))
            box.setTristate(True)
            box.setCheckState(Qt.CheckState.PartiallyChecked)
            box.clicked.connect(lambda _=False, action=action: self.action_requested.emit(action))
            with_own_keys(box)
            source.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(box, row, 0)
            grid.addWidget(source, row, 1)
            self.boxes[criterion], self.sources[criterion] = box, source
        self.score = QLabel()
        self.score.setToolTip(
            "Criteria that this frame meets. What nobody judged gives no point; what is computed "
            "from the outline counts until you judge it"
        )
        grid.addWidget(self.score, len(ACTIONS), 0, 1, 2)
        self.addWidget(inside)
        self.show_plane(None)

    def show_plane(self, plane: JudgedPlane | None) -> None:
        """Show what is known of a frame's criteria; None for nothing."""
        verdicts = {} if plane is None else plane.verdicts
        for criterion, box in self.boxes.items():
            computed = plane is not None and plane.is_computed(criterion)
            state, words = _MARKS[verdicts.get(criterion)]
            box.setCheckState(state)
            said = f"{words}, computed from the outline" if computed else words
            action = ACTIONS[criterion]
            box.setToolTip(
                f"{with_key(_TIPS[criterion], action)}\n"
                f"Now {said}. Goes from met to not met to not judged."
            )
            box.setAccessibleName(f"{criterion.words}: {said}")
            self.sources[criterion].setText("computed" if computed else key_of(action))
            self.sources[criterion].setToolTip(
                "The outline tells; press the key to judge it yourself"
                if computed
                else "The key of this criterion"
            )
        self.score.setText("Score …" if plane is None else f"Score <b>{plane.words}</b>")
