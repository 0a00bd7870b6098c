"""Asks where the report, or the DICOM objects, shall go; a name is typed for the page alone."""

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.widgets.result.jobs import ReportWish

_WIDTH = 460
_LONGEST_NAME = 200
_FORMS = "PDF page (*.pdf);;HTML page (*.html);;JSON, after FHIR (*.json);;Table (*.csv)"


class PlaceDialog(QDialog):
    """A path with a button that looks for one, and a button that makes what goes there.

    Parameters
    ----------
    title, explained : str
    path : Path
        Suggested.
    parent : QWidget, optional
    """

    def __init__(self, title: str, explained: str, path: Path, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        about = QLabel(explained)
        about.setWordWrap(True)
        self.place = QLineEdit(str(path))
        browse = QPushButton("Browse…")
        browse.setToolTip("Choose another place")
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self.place, stretch=1)
        row.addWidget(browse)
        self.form = QFormLayout()
        self.form.addRow("Save as", row)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        make = buttons.addButton("Save", QDialogButtonBox.ButtonRole.AcceptRole)
        assert make is not None  # Qt always makes one
        self.make = make
        if (cancel := buttons.button(QDialogButtonBox.StandardButton.Cancel)) is not None:
            cancel.setToolTip("Make nothing")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.place.textChanged.connect(self._look)
        column = QVBoxLayout(self)
        column.addWidget(about)
        column.addLayout(self.form)
        column.addWidget(buttons)
        self._look()

    @property
    def path(self) -> Path:
        """Where it shall go."""
        return Path(self.place.text().strip()).expanduser()

    def _browse(self) -> None:
        raise NotImplementedError

    def _look(self) -> None:
        """Say on the button what it does; nothing can be saved without a name."""
        self.make.setEnabled(bool(self.place.text().strip()))


class ReportDialog(PlaceDialog):
    """Asks where a report shall go, on which paper, and for a name that stands on it alone.

    ``answered`` gives the :class:`ReportWish`.
    """

    answered = Signal(object)  # ReportWish

    def __init__(self, path: Path, parent: QWidget | None) -> None:
        super().__init__(
            "Report",
            "One page: circumference with its interval, centile, best frame, criteria, models. A "
            "name that you type is printed on this page and kept nowhere.",
            path,
            parent,
        )
        self.place.setAccessibleName("File of the report")
        self.place.setToolTip("The ending chooses the form: .pdf, .html, .json or .csv")
        self.name = QLineEdit()
        self.name.setMaxLength(_LONGEST_NAME)
        self.name.setPlaceholderText("for this page only, never stored")
        self.name.setAccessibleName("Name, for this page only")
        self.name.setToolTip("Whose report it is: printed on the page, in no data file, not kept")
        self.paper = QComboBox()
        self.paper.addItem("A4", "a4")
        self.paper.addItem("Letter", "letter")
        self.paper.setAccessibleName("Paper")
        self.paper.setToolTip("Size of a PDF's page")
        self.form.addRow("Name", self.name)
        self.form.addRow("Paper", self.paper)
        self.accepted.connect(self._answer)
        self.finished.connect(self.name.clear)

    def _answer(self) -> None:
        wish = ReportWish(self.path, self.paper.currentData(), self.name.text().strip())
        self.answered.emit(wish)

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the report", self.place.text(), _FORMS)
        if path:
            self.place.setText(path)

    def _look(self) -> None:
        super()._look()
        there = self.make.isEnabled() and self.path.is_file()
        self.make.setText("Replace" if there else "Save")
        self.make.setToolTip(
            "Write this report in the place of the file that is there" if there else "Make the page"
        )


class DicomDialog(PlaceDialog):
    """Asks for a new folder; ``answered`` gives it."""

    answered = Signal(object)  # Path

    def __init__(self, path: Path, from_dicom: bool, parent: QWidget | None) -> None:
        with_images = (
            "They belong to the patient and the study of the source."
            if from_dicom
            else "The source is no DICOM: images without a patient are made as well, with all "
            "their pixels. Names that are burned into them go along."
        )
        super().__init__(
            "Export DICOM",
            "A segmentation, a structured report and a picture, into a new or an empty folder. "
            + with_images,
            path,
            parent,
        )
        self.place.setAccessibleName("Folder of the DICOM objects")
        self.place.setToolTip("A new or an empty folder")
        self.make.setText("Export")
        self.make.setToolTip("Make the DICOM objects")
        self.accepted.connect(lambda: self.answered.emit(self.path))

    def _browse(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder for DICOM", self.place.text())
        if path:
            self.place.setText(path)
