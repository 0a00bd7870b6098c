"""The list of sweeps: filter, table, and the way from one to the next."""

from collections.abc import Sequence

from qtpy.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from qtpy.QtGui import QFont, QFontMetrics, QKeyEvent, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_fetal_iqa.review.worklist.columns import COLUMNS, Row, State, reason, subject_word
from napari_fetal_iqa.widgets.focus import with_own_keys
from napari_fetal_iqa.widgets.panels.eliding_label import ElidingLabel
from napari_fetal_iqa.widgets.shortcuts import Action, with_key
from napari_fetal_iqa.widgets.worklist.model import WorklistFilter, WorklistModel
from napari_fetal_iqa.widgets.worklist.row_menu import row_menu

_NARROWEST_NAME = 90  # pixels
_THIS_ROW_ALONE = (
    QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
)


class WorklistWidget(QWidget):
    """Shows sweeps; ``chosen`` tells the number of the one that shall be opened.

    ``folder_requested`` tells that another folder is wanted, ``action_requested`` which key a
    button stands for, ``left`` that the keys belong to the frame again.
    """

    chosen = Signal(int)
    folder_requested = Signal()
    action_requested = Signal(object)  # Action
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._returns_keys = self._clicked = False
        self.model = WorklistModel(self)
        self.filter = WorklistFilter(self.model, self)
        self.table = _Table()
        self.table.setModel(self.filter)
        self.table.left_out.connect(self.model.tell_left_out)
        self.table.fit_columns()
        self.table.activated.connect(self._choose)
        self.table.pressed.connect(self._note_click)
        self.table.customContextMenuRequested.connect(self.offer)
        chosen = self.table.selectionModel()
        if chosen is not None:
            chosen.currentRowChanged.connect(self._tell_of_row)
        if (titles := self.table.horizontalHeader()) is not None:
            titles.sortIndicatorChanged.connect(self._show_current)  # sorted it is by then
        self.search = _SearchLine()
        self.search.textChanged.connect(self._filter)
        self.search.textEdited.connect(self._keep_keys)
        self.search.returnPressed.connect(self._choose_first)
        self.search.left_downwards.connect(self.table.take_focus)
        self.states = QComboBox()
        self.states.addItems([str(state) for state in State])
        self.states.setToolTip("Show only sweeps that are so far")
        self.states.setAccessibleName("State of the sweeps shown")
        self.states.currentTextChanged.connect(self._filter)
        with_own_keys(self.states)
        self.folder = _plain_label()
        self.count = _plain_label()
        self._of_row: dict[str, int] = {}

        filters = QHBoxLayout()
        filters.addWidget(self.search, stretch=3)
        filters.addWidget(self.states, stretch=2)
        listed = QWidget()
        column = QVBoxLayout(listed)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.folder)
        column.addLayout(filters)
        column.addWidget(self.table, stretch=1)
        column.addWidget(self.count)
        column.addLayout(self._buttons())
        self._pages = QStackedWidget()
        self._pages.addWidget(self._empty())
        self._pages.addWidget(listed)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 2, 4, 4)
        whole.addWidget(self._pages)
        self.setMinimumWidth(210)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for text, action, tip in (
            ("Previous", Action.PREVIOUS_IN_WORKLIST, "Open the sweep before this one"),
            ("Next", Action.NEXT_IN_WORKLIST, "Open the sweep after this one"),
        ):
            button = QPushButton(text)
            button.setToolTip(with_key(tip, action))
            button.clicked.connect(lambda _, action=action: self.action_requested.emit(action))
            with_own_keys(button)
            row.addWidget(button)
        row.addWidget(self._folder_button("Folder…"))
        return row

    def _folder_button(self, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip("Choose a folder: all its sweeps are listed here")
        button.clicked.connect(self.folder_requested)
        with_own_keys(button)
        return button

    def _empty(self) -> QWidget:
        empty = QWidget()
        column = QVBoxLayout(empty)
        words = QLabel(
            "No folder is open.<br>Open an exam, or a folder of exams: all its sweeps stand here, "
            "with what was found in them and how far their review is."
        )
        words.setWordWrap(True)
        column.addWidget(words)
        column.addWidget(self._folder_button("Open a folder…"))
        column.addStretch()
        return empty

    # What is shown -------------------------------------------------------------------------

    def show_rows(self, folder: str, rows: Sequence[Row]) -> None:
        """Show the sweeps of a folder, under its name."""
        self.search.clear()
        self.states.setCurrentIndex(0)
        self.folder.setText(folder)
        self.model.show_rows(rows)
        self._pages.setCurrentIndex(1)
        self.say("")

    def say(self, doing: str) -> None:
        """Show below the table what is going on; nothing: how many sweeps are shown."""
        shown, every = self.filter.rowCount(), len(self.model.rows)
        sweeps = "sweep" if every == 1 else "sweeps"
        count = f"{every} {sweeps}" if shown == every else f"{shown} of {every} {sweeps}"
        self.count.setText(f"{count}. {doing}" if doing else count)

    def show_front(self, number: int | None) -> None:
        """Mark the row of the sweep on the screen, and bring it into view."""
        self.model.in_front = number
        self.mark_front()
        if number is not None:
            if self._returns_keys and self._window_focus() in (self.search, self.table):
                self.left.emit()
            self._returns_keys = False

    def mark_front(self) -> None:
        """Select the row of the sweep on the screen alone: no other one came after all."""
        self._clicked = False
        number = self.model.in_front
        index = QModelIndex() if number is None else self.model.index(number, 0)
        index = self.filter.mapFromSource(index)
        self.table.select_alone(index)
        if index.isValid():
            self.table.scrollTo(index)

    def _window_focus(self) -> QWidget | None:
        """Return what has the keys of the window, be the window in front or not."""
        window = self.window()
        return None if window is None else window.focusWidget()

    def return_keys(self) -> None:
        """Give the keys to the frame once the sweep that was asked for here is on the screen.

        Not before: they would act on the one before it. Who types on meanwhile keeps them.
        """
        self._returns_keys = True

    def _keep_keys(self) -> None:
        self._returns_keys = False

    def beside(self, number: int | None, step: int) -> tuple[int | None, list[int]]:
        """Return the next row after another, or before it, as they are shown now; and which not.

        Sweeps that are known to be unreadable are passed over. None where there is none; the first
        one that is shown where the other is not.
        """
        passed: list[int] = []
        order = self.filter
        index = QModelIndex() if number is None else self.model.index(number, 0)
        index = order.mapFromSource(index)
        place = index.row() + step if index.isValid() else 0
        while 0 <= place < order.rowCount():
            found = order.mapToSource(order.index(place, 0)).row()
            if not reason(self.model.rows[found]):
                return found, passed
            passed.append(found)
            place += step if index.isValid() else 1
        return None, passed

    def selected(self) -> list[int]:
        """Return the rows that a person selected, as they are shown; else that on the screen.

        Rows count that were clicked since the sweep came to the screen, or while the keys are on
        the table.
        """
        chosen = self.table.selectionModel()
        counts = self._clicked or self._window_focus() is self.table
        shown = sorted(chosen.selectedRows()) if counts and chosen is not None else []
        rows = [self.filter.mapToSource(index).row() for index in shown]
        return rows or ([] if self.model.in_front is None else [self.model.in_front])

    # What is clicked -----------------------------------------------------------------------

    def offer(self, place: QPoint) -> QMenu | None:
        """Offer what can be done with the sweeps that are selected, in a menu at a place."""
        menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.setToolTipsVisible(True)
        number = self.filter.mapToSource(self.table.currentIndex()).row()
        if number < 0:
            return None
        row = self.model.rows[number]
        menu = row_menu(
            self,
            row,
            lambda: self.chosen.emit(number),
            lambda: self.action_requested.emit(Action.SET_SUBJECT),
            lambda: self.search.setText(subject_word(row)),
        )
        viewport = self.table.viewport()
        menu.popup((viewport or self.table).mapToGlobal(place))
        return menu

    def _filter(self) -> None:
        self.filter.choose(self.search.text(), State(self.states.currentText()))
        self._show_current()
        self.say("")

    def _show_current(self) -> None:
        """Bring the row into view that the keys are on, wherever it is in another order."""
        index = self.table.currentIndex()
        if index.isValid():
            self.table.scrollTo(index)

    def _tell_of_row(self, index: QModelIndex, _: QModelIndex) -> None:
        """Say why a sweep failed, or whose it is: a narrow list has no room for it."""
        number = self.filter.mapToSource(index).row()
        if number < 0:
            self.say("")
            return
        row = self.model.rows[number]
        self.say(reason(row) or (f"Subject {row.subject}" if row.subject else ""))

    def _note_click(self) -> None:
        self._clicked = True

    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(self.filter.mapToSource(index).row())

    def _choose_first(self) -> None:
        if self.filter.rowCount():
            self._choose(self.filter.index(0, 0))


class _SearchLine(QLineEdit):
    """The text that names must hold; Down goes to the table, Escape clears it."""

    left_downwards = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Filter")
        self.setClearButtonEnabled(True)
        self.setAccessibleName("Filter the sweeps by words")
        self.setToolTip(
            "Words that a sweep's name, state or reviewers hold; subject:a finds those of A.\n"
            "Enter opens the first; Down goes to the list."
        )

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Go to the table, or clear the text."""
        key = event.key() if event is not None else None
        if key == Qt.Key.Key_Down:
            self.left_downwards.emit()
        elif key == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)


class _Table(QTableView):
    """As many columns as there is room for, the first ones always; never a bar below it.

    ``left_out`` tells the titles of those that there is no room for.
    """

    left_out = Signal(object)  # tuple of str

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Worklist")
        self.setToolTip(
            "Double click, or Enter, opens a sweep.\n"
            "Right click, or the menu key, says whose the selected sweeps are."
        )
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)  # Tab goes on to the next control
        self.setSortingEnabled(True)
        self.setCornerButtonEnabled(False)
        with_own_keys(self)
        height = self.fontMetrics().height() + 6
        if (rows := self.verticalHeader()) is not None:
            rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # no row is measured
            rows.setDefaultSectionSize(height)
            rows.hide()
        if (titles := self.horizontalHeader()) is not None:
            titles.setHighlightSections(False)
            titles.setMinimumSectionSize(24)
            titles.setSortIndicatorClearable(True)
            titles.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)

    def select_alone(self, index: QModelIndex) -> None:
        """Select a row and no other, whatever keys are held; where there is none, none.

        ``setCurrentIndex`` of the view looks at the keyboard: with Ctrl held it adds the row.
        """
        chosen = self.selectionModel()
        if chosen is not None:
            chosen.setCurrentIndex(index, _THIS_ROW_ALONE)

    def take_focus(self) -> None:
        """Take the keys, with a row to begin from."""
        model = self.model()
        if model is not None and not self.currentIndex().isValid():
            self.select_alone(model.index(0, 0))
        self.setFocus(Qt.FocusReason.TabFocusReason)

    def fit_columns(self) -> None:
        """Show the columns that there is room for; the name takes what is left."""
        viewport = self.viewport()
        room = viewport.width() if viewport is not None else 0
        letter = self.fontMetrics().averageCharWidth() + 1
        bold = QFont(self.font())
        bold.setBold(True)  # as the sweep on the screen is written
        measure = QFontMetrics(bold).horizontalAdvance
        titles = self.horizontalHeader()
        left_out = []
        used = 0
        for place, column in enumerate(COLUMNS):
            words = max(map(measure, column.words), default=0)
            title = titles.sectionSizeHint(place) if titles is not None and place else 0
            width = max(letter * column.width + 12, words + 12, title)
            used += width if place else _NARROWEST_NAME
            if place > 1 and used > room:
                left_out.append(column.title)
            self.setColumnHidden(place, place > 1 and used > room)
            if place:
                self.setColumnWidth(place, width)
        others = sum(
            self.columnWidth(place)
            for place in range(1, len(COLUMNS))
            if not self.isColumnHidden(place)
        )
        self.setColumnWidth(0, max(room - others, _NARROWEST_NAME))
        self.left_out.emit(tuple(left_out))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show as many columns as there is room for now."""
        super().resizeEvent(event)
        self.fit_columns()


def _plain_label() -> ElidingLabel:
    label = ElidingLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)  # names and reasons are others' words
    return label
