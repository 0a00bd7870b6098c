"""Folded away: the age by dates, where the frame lies on a growth chart, the report and DICOM."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.growth.charts import find_chart
from napari_fetal_iqa.growth.dating import Basis, Dating
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.panels.error_box import MessageLabel
from napari_fetal_iqa.widgets.panels.folded_section import FoldedSection
from napari_fetal_iqa.widgets.shortcuts import Action, with_key

_WAYS: tuple[tuple[Basis, str, str], ...] = (
    ("weeks", "Weeks and days", "27w3d"),
    ("LMP", "LMP", "YYYY-MM-DD"),
    ("EDD", "EDD", "YYYY-MM-DD"),
)
_WAY_TIPS = {
    "weeks": "Gestational age by dates on the day of the examination",
    "LMP": "First day of the last menstrual period",
    "EDD": "Expected date of delivery",
}
_NO_AGE = "not entered, so that there is no centile"


class ResultPanel(FoldedSection):
    """Controls of the result; the desk says what they do.

    ``age_entered`` gives how the age was entered, what was typed and the day of the examination;
    ``age_forgotten`` tells that it is not known any more, ``chart_chosen`` that another chart is
    wanted.
    """

    action_requested = Signal(object)  # Action
    age_entered = Signal(str, str, str)
    age_forgotten = Signal()
    chart_chosen = Signal()
    cancel_requested = Signal()
    open_requested = Signal()
    said = Signal()
    """Something is told below the buttons, which may lie out of view."""

    def __init__(self) -> None:
        super().__init__(
            "Result of the case", "Age by dates, growth chart, the report to sign, DICOM"
        )
        self.age = MessageLabel()
        self.way = QComboBox()
        for basis, words, _ in _WAYS:
            self.way.addItem(words, basis)
        self.way.setAccessibleName("How the age by dates is entered")
        self.way.setToolTip("Enter weeks and days, or a date from which they are counted")
        self.typed = QLineEdit()
        self.examined = QLineEdit()
        self.examined.setPlaceholderText("YYYY-MM-DD")
        self.examined.setAccessibleName("Day of the examination")
        self.examined.setToolTip("The age on this day counts; the dates themselves are not kept")
        self.keep, self.forget = QPushButton("Keep"), QPushButton("Forget")
        self.keep.setToolTip("Keep this age with the review of the sweep")
        self.forget.setToolTip("The age by dates is not known any more")
        self.chart = QComboBox()
        for author in ("intergrowth", "hadlock"):
            chart = find_chart("AC", "hadlock" if author == "hadlock" else "intergrowth")
            assert chart is not None  # both authors have one
            self.chart.addItem(chart.title, author)
        self.chart.setAccessibleName("Growth chart")
        self.chart.setToolTip("By which chart the circumference is ranked, here and in the report")
        self.growth = MessageLabel()
        self.report = QPushButton("Report…")
        self.dicom = QPushButton("Export DICOM…")
        self.doing = MessageLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("The result is being made")
        self.bar.setToolTip("The result is being made; the window goes on meanwhile")
        self.cancel, self.open = QPushButton("Cancel"), QPushButton("Open")
        self.cancel.setToolTip("Make no result after all")
        self.open.setToolTip("Open what was saved with the program that this machine has for it")
        self._lay_out()
        with_own_keys(self.keep, self.forget, self.report, self.dicom, self.cancel, self.open)
        self.way.currentIndexChanged.connect(self._show_way)
        self.typed.returnPressed.connect(self._enter)
        self.examined.returnPressed.connect(self._enter)
        self.keep.clicked.connect(self._enter)
        self.typed.textChanged.connect(self._offer_keep)
        self.forget.clicked.connect(self.age_forgotten)
        self.chart.activated.connect(lambda _: self.chart_chosen.emit())
        self.report.clicked.connect(lambda: self.action_requested.emit(Action.MAKE_REPORT))
        self.dicom.clicked.connect(lambda: self.action_requested.emit(Action.EXPORT_DICOM))
        self.cancel.clicked.connect(self.cancel_requested)
        self.open.clicked.connect(self.open_requested)
        self._show_way()
        self.show_age(None)
        self.show_growth("")
        self.offer("Open a sweep first")
        self.show_doing("")

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        entry = QHBoxLayout()
        entry.addWidget(self.way)
        entry.addWidget(self.typed, stretch=1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.keep, stretch=1)
        buttons.addWidget(self.forget, stretch=1)
        self._rows = rows = QFormLayout()
        rows.addRow("Age by dates", self.age)
        rows.addRow(entry)
        rows.addRow("Examined", self.examined)
        rows.addRow(buttons)
        rows.addRow("Chart", self.chart)
        column.addLayout(rows)
        column.addWidget(self.growth)
        makers = QHBoxLayout()
        makers.addWidget(self.report, stretch=1)
        makers.addWidget(self.dicom, stretch=1)
        column.addLayout(makers)
        column.addWidget(self.bar)
        column.addWidget(self.doing)
        column.addWidget(self.cancel)
        column.addWidget(self.open)
        self.addWidget(inside)

    def _show_way(self) -> None:
        basis, words, example = _WAYS[self.way.currentIndex()]
        self.typed.setPlaceholderText(example)
        self.typed.setAccessibleName(words)
        self.typed.setToolTip(_WAY_TIPS[basis])
        self._rows.setRowVisible(self.examined, basis != "weeks")
        self._offer_keep()

    def _offer_keep(self) -> None:
        self.keep.setEnabled(bool(self.typed.text().strip()))

    def _enter(self) -> None:
        if self.keep.isEnabled():
            self.age_entered.emit(
                self.way.currentData(), self.typed.text().strip(), self.examined.text().strip()
            )

    def show_age(self, dating: Dating | None) -> None:
        """Show the age that is kept, and nothing that was typed."""
        self.age.setText(_NO_AGE if dating is None else str(dating))
        self.forget.setEnabled(dating is not None)
        self.typed.clear()
        self.examined.clear()

    def show_growth(self, words: str) -> None:
        """Show where the frame's circumference lies on the chart; nothing where it is unknown."""
        self.growth.setText(words)
        self.growth.setVisible(bool(words))

    def offer(self, because: str) -> None:
        """Offer report and DICOM, or say why there is nothing to make them of."""
        for button, action, tip in (
            (self.report, Action.MAKE_REPORT, "Make the page of this case, to sign"),
            (self.dicom, Action.EXPORT_DICOM, "Segmentation, structured report and picture"),
        ):
            button.setEnabled(not because)
            button.setToolTip(with_key(because or tip, action))

    def show_doing(self, words: str, running: bool = False, saved: bool = False) -> None:
        """Say what is being made, or what came of it."""
        self.doing.setText(words)
        self.doing.setVisible(bool(words))
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
        self.open.setVisible(saved)
        if words:
            self.said.emit()
