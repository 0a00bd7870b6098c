"""The tab of the models: which is in use, where each comes from, and what can be done to it."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.model_library.automatic import automatic_words
from napari_fetal_iqa.model_library.in_use import FOR, Task
from napari_fetal_iqa.model_library.overview import ModelRow
from napari_fetal_iqa.widgets.models.table import RowTable

_HEADS = ("", "Model", "Name", "For", "Measured", "Made from", "Licence")
_FOR: dict[Task | None, str] = {"cls": FOR["cls"], "seg": FOR["seg"], None: ""}


class LibraryTab(QWidget):
    """A table of models, all that is known of the chosen one, and a button for each act."""

    use_requested = Signal(object)  # ModelRow
    none_requested = Signal(str)  # task
    automatic_requested = Signal(str)  # task
    back_requested = Signal(str)  # task
    delete_requested = Signal(object)  # ModelRow
    pack_requested = Signal(object)  # ModelRow
    add_file_requested = Signal()
    add_folder_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        about = QLabel(
            "Each model is a folder. Drop a model's folder, or the one file in which a colleague "
            "sent it, on this window to add it."
        )
        about.setWordWrap(True)
        self.table = RowTable(_HEADS, stretched=2, name="Models on this machine")
        self.table.currentItemChanged.connect(lambda *_: self._choose())
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setAccessibleName("About the chosen model")
        self.details.setToolTip("What the chosen model is, where it comes from, how well it does")
        font = self.details.font()
        font.setFamilies(["monospace"])
        font.setStyleHint(font.StyleHint.Monospace)
        self.details.setFont(font)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.table)
        split.addWidget(self.details)
        split.setSizes([200, 220])
        split.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.addWidget(about)
        column.addWidget(split, stretch=1)
        column.addLayout(self._buttons())
        self._working = False
        self._automatic: Sequence[Task] = ()
        self._choose()

    def _buttons(self) -> QVBoxLayout:
        self.use = self._button("Use", lambda row: self.use_requested.emit(row))
        self.automatic = self._button(
            "Use automatic", lambda row: row.task and self.automatic_requested.emit(row.task)
        )
        self.none = self._button(
            "Use none", lambda row: row.task and self.none_requested.emit(row.task)
        )
        self.back = self._button(
            "Go back", lambda row: row.task and self.back_requested.emit(row.task)
        )
        self.delete = self._button("Delete…", lambda row: self.delete_requested.emit(row))
        self.pack = self._button("Send as a file…", lambda row: self.pack_requested.emit(row))
        self.add_file = QPushButton("Add a file…")
        self.add_file.setToolTip("Add a model that somebody sent as one file; it is checked first")
        self.add_file.clicked.connect(self.add_file_requested)
        self.add_folder = QPushButton("Add a folder…")
        self.add_folder.setToolTip("Add a copy of a model folder that lies elsewhere")
        self.add_folder.clicked.connect(self.add_folder_requested)
        rows = QVBoxLayout()
        for buttons in (
            (self.use, self.automatic, self.none, self.back, self.delete),
            (self.pack, self.add_file, self.add_folder),
        ):
            row = QHBoxLayout()
            for button in buttons:
                row.addWidget(button)
            row.addStretch()
            rows.addLayout(row)
        return rows

    def _button(self, text: str, do: Callable[[ModelRow], object]) -> QPushButton:
        button = QPushButton(text)

        def clicked() -> None:
            if (row := self.chosen) is not None:
                do(row)

        button.clicked.connect(clicked)
        return button

    @property
    def chosen(self) -> ModelRow | None:
        """The model that is chosen in the table."""
        row = self.table.chosen
        return row if isinstance(row, ModelRow) else None

    def show_models(self, rows: Sequence[ModelRow], automatic: Sequence[Task] = ()) -> None:
        """Show the models of this machine, and for which tasks nobody chose one."""
        self._automatic = automatic
        self.table.show_rows([(row, _texts(row), _tip(row)) for row in rows])
        self._choose()

    def set_working(self, working: bool) -> None:
        """Allow one act at a time."""
        self._working = working
        self._choose()

    def _choose(self) -> None:
        row = self.chosen
        self.details.setPlainText("\n".join(_details(row)) if row else "")
        for_task = _FOR[row.task] if row else ""
        reasons = {
            self.use: _why_not_used(row),
            self.automatic: self._why_not_automatic(row),
            self.none: "" if row and row.in_use and row.task else "It is not in use",
            self.back: "" if row and row.task else "Choose a model first",
            self.delete: row.why_kept if row else "Choose a model first",
            self.pack: row.why_not_sent if row else "Choose a model first",
        }
        does = {
            self.use: "Analyse with this model from now on; what was in use stays in the list",
            self.automatic: (
                f"Let each sweep have the model for the {for_task} that suits it: "
                f"{automatic_words(row.task) if row and row.task else ''}"
            ),
            self.none: f"Analyse without any model for the {for_task}",
            self.back: f"Go back to what was in use for the {for_task} before",
            self.delete: "Delete this model's folder for good",
            self.pack: "Write this model into one file, to be sent to a colleague",
        }
        for button, reason in reasons.items():
            button.setEnabled(not reason and not self._working)
            button.setToolTip(reason or does[button])
        for button in (self.add_file, self.add_folder):
            button.setEnabled(not self._working)

    def _why_not_automatic(self, row: ModelRow | None) -> str:
        if row is None or row.task is None:
            return "Choose a model first"
        return f"In use: {automatic_words(row.task)}" if row.task in self._automatic else ""


def _why_not_used(row: ModelRow | None) -> str:
    if row is None:
        return "Choose a model first"
    return "It is in use" if row.in_use and not row.suits else row.problem


def _texts(row: ModelRow) -> tuple[str, ...]:
    name = f"{row.name}: cannot be used" if row.problem else row.name
    return (
        f"for {row.suits}" if row.suits else "in use" if row.in_use else "",
        row.id,
        name,
        _FOR[row.task],
        row.figure + (" worse" if row.worse else ""),
        row.parent or "-",
        row.licence,
    )


def _tip(row: ModelRow) -> str:
    return row.problem or row.worse or row.reference


def _details(row: ModelRow) -> list[str]:
    return [*([row.problem, ""] if row.problem else []), *row.details]
