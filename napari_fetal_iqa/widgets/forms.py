"""Forms that magicgui makes of pydantic models, as the commands make their options of them."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit, LineEdit
from pydantic import BaseModel
from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QLineEdit, QSizePolicy, QWidget

from napari_fetal_iqa.fields import FormField, form_field
from napari_fetal_iqa.widgets.focus import with_own_keys

Control = CheckBox | ComboBox | FileEdit | LineEdit

Model = TypeVar("Model", bound=BaseModel)


class ModelForm(QWidget, Generic[Model]):
    """Controls for some fields of a pydantic model, with its titles, help and choices.

    ``changed`` gives the whole model, with the fields as they are now, once one was changed: text
    when it was typed to its end.

    Parameters
    ----------
    value : BaseModel
        Its fields are annotated with :class:`~napari_fetal_iqa.fields.FormField`.
    names : sequence of str
        The fields to show, from top to bottom.
    """

    changed = Signal(object)

    def __init__(self, value: Model, names: Sequence[str]) -> None:
        super().__init__()
        self._value = value
        self.controls: dict[str, Control] = {
            name: _control(form_field(type(value), name), getattr(value, name)) for name in names
        }
        rows = QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        for control in self.controls.values():
            if control.label:
                title = QLabel(control.label)
                title.setToolTip(control.tooltip)
                title.setBuddy(control.native)
                rows.addRow(title, control.native)
            else:  # it bears its own
                rows.addRow(control.native)
        self._no_wheel = _NoWheel(self)
        for name, control in self.controls.items():
            spoken = form_field(type(value), name).title
            control.native.setAccessibleName(spoken)
            if (line := text_line(control)) is not None:
                line.setAccessibleName(spoken)
                line.editingFinished.connect(self._take)
                line.setPlaceholderText(form_field(type(value), name).empty)
            if isinstance(control, FileEdit):
                control.choose_btn.native.setAccessibleName(f"{spoken}: choose")
                # after magicgui's own slot, which shows the dialog; not with each letter typed
                control.choose_btn.changed.connect(self._take)
            elif line is None:
                control.changed.connect(self._take)
            if isinstance(control, ComboBox):
                with_own_keys(control.native)
                control.native.installEventFilter(self._no_wheel)
                control.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def value(self) -> Model:
        """The model, with the fields as the controls show them."""
        shown = {name: _value_of(control) for name, control in self.controls.items()}
        return self._value.model_copy(update=shown)

    def set_field(self, name: str, value: Any) -> None:
        """Change a field as if somebody had; one that is not shown, too."""
        if name not in self.controls:
            changed = self.value.model_copy(update={name: value})
            if changed != self._value:
                self._value = changed
                self.changed.emit(changed)
            return
        control = self.controls[name]
        line = text_line(control)
        if line is not None:
            line.setText(str(value))  # a FileEdit would make a path of a model's name
        else:
            control.value = value
        self._take()

    def _take(self, *_: object) -> None:
        value = self.value
        if value != self._value:
            self._value = value
            self.changed.emit(value)


def text_line(control: Control) -> QLineEdit | None:
    """Return the line in which the value of a control is typed, if it is."""
    line = (control.line_edit if isinstance(control, FileEdit) else control).native
    return line if isinstance(line, QLineEdit) else None


def _control(form: FormField, value: Any) -> Control:
    shown: dict[str, Any] = {"label": form.title, "tooltip": form.help, "value": value}
    if form.choices:
        names = [(name, choice) for choice, (name, _) in form.choices.items()]
        combo = ComboBox(choices=names, **shown)
        combo.tooltip = "\n".join(
            [form.help, *(f"{name}: {meaning}" for name, meaning in form.choices.values())]
        )
        for place, (_, meaning) in enumerate(form.choices.values()):
            combo.native.setItemData(place, meaning, Qt.ItemDataRole.ToolTipRole)
        return combo
    if form.folder:
        edit = FileEdit(mode=FileDialogMode.EXISTING_DIRECTORY, nullable=True, **shown)
        edit.line_edit.tooltip = form.help
        edit.choose_btn.text = "…"
        edit.choose_btn.tooltip = f"{form.title}: choose a folder"
        edit.choose_btn.native.setMaximumWidth(32)
        return edit
    if isinstance(value, bool):
        return CheckBox(text=form.title, **{**shown, "label": ""})
    return LineEdit(**shown)


def _value_of(control: Control) -> Any:
    line = text_line(control)
    return control.value if line is None else line.text().strip()


class _NoWheel(QObject):
    """Leaves the wheel over a choice to the panel around it: scrolling changes nothing."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return super().eventFilter(watched, event)
