"""The tab of the pretrained weights that the large models are built on."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_fetal_iqa.model_library.weights_overview import WeightsRow
from napari_fetal_iqa.widgets.models.table import RowTable

_HEADS = ("", "Encoder", "Licence", "Size", "Published as")


class WeightsTab(QWidget):
    """A table of encoders; a licence that restricts the use is accepted before the download."""

    fetch_requested = Signal(str, bool)  # encoder, whether its licence was accepted
    import_requested = Signal(str)
    verify_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        about = QLabel(
            "A model on a large encoder, such as FetalCLIP, needs that encoder's published "
            "weights. They are fetched once, checked by their sha256, and kept for all models."
        )
        about.setWordWrap(True)
        self.table = RowTable(_HEADS, stretched=4, name="Pretrained weights")
        self.table.currentItemChanged.connect(lambda *_: self._choose())
        self.details = QLabel()
        self.details.setWordWrap(True)
        self.details.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.accept = QCheckBox()
        self.accept.setToolTip("You have read the licence, and will use the weights as it allows")
        self.accept.toggled.connect(lambda _: self._offer())
        self.fetch = QPushButton("Fetch")
        self.fetch.clicked.connect(self._fetch)
        self.import_file = QPushButton("Import a file…")
        self.import_file.setToolTip(
            "Check and keep a checkpoint that you have; nothing in it is run"
        )
        self.import_file.clicked.connect(lambda: self._with_name(self.import_requested.emit))
        self.verify = QPushButton("Verify")
        self.verify.clicked.connect(lambda: self._with_name(self.verify_requested.emit))
        row = QHBoxLayout()
        for button in (self.fetch, self.import_file, self.verify):
            row.addWidget(button)
        row.addStretch()
        column = QVBoxLayout(self)
        column.addWidget(about)
        column.addWidget(self.table, stretch=1)
        column.addWidget(self.details)
        column.addWidget(self.accept)
        column.addLayout(row)
        self._working = False
        self._choose()

    @property
    def chosen(self) -> WeightsRow | None:
        """The encoder that is chosen in the table."""
        row = self.table.chosen
        return row if isinstance(row, WeightsRow) else None

    def show_weights(self, rows: Sequence[WeightsRow]) -> None:
        """Show the encoders and their weights."""
        texts = [
            (
                row,
                ("here" if row.here else "", row.name, row.licence, row.size, row.origin),
                _tip(row),
            )
            for row in rows
        ]
        self.table.show_rows(texts)
        self._choose()

    def set_working(self, working: bool) -> None:
        """Allow one act at a time."""
        self._working = working
        self._offer()

    def _choose(self) -> None:
        row = self.chosen
        self.accept.setChecked(False)
        self.accept.setVisible(bool(row and row.restricted and not row.here and not row.page))
        if row is None:
            self.details.setText("")
        else:
            self.accept.setText(f"I accept the licence: {row.terms}")
            self.details.setText(_about(row))
        self._offer()

    def _offer(self) -> None:
        row = self.chosen
        reason = _why_not_fetched(row, self.accept.isChecked())
        self.fetch.setEnabled(not reason and not self._working)
        self.fetch.setToolTip(reason or "Download the published weights; a broken download goes on")
        self.import_file.setEnabled(row is not None and not self._working)
        kept = row is not None and row.state != "not here"
        self.verify.setEnabled(kept and not self._working)
        self.verify.setToolTip(
            "Check that they are, bit by bit, what was imported" if kept else "They are not here"
        )

    def _fetch(self) -> None:
        if (row := self.chosen) is not None:
            self.fetch_requested.emit(row.name, self.accept.isChecked())

    def _with_name(self, emit: Callable[[str], None]) -> None:
        if (row := self.chosen) is not None:
            emit(row.name)


def _why_not_fetched(row: WeightsRow | None, accepted: bool) -> str:
    if row is None:
        return "Choose an encoder first"
    if row.here:
        return "The published weights are here"
    if row.page:
        return f"They cannot be fetched: download {row.page}, then import the file"
    if not row.origin:
        return "It has no published weights; import a file of your own"
    if row.restricted and not accepted:
        return "Accept the licence first"
    return ""


def _tip(row: WeightsRow) -> str:
    return f"{row.name}: {row.state}\n{row.terms}\n{row.origin}"


def _about(row: WeightsRow) -> str:
    lines = [f"{row.name}: {row.state}", f"Licence: {row.terms}", f"Published as {row.origin}"]
    if row.page:
        lines.append(f"Download {row.page}, then import the file")
    return "\n".join(lines)
