"""A form made of a pydantic model, used as a person would: typed, chosen, clicked."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel
from qtpy.QtCore import QPoint, QPointF, Qt

from napari_fetal_iqa.fields import FormField, form_field, help_of

pytestmark = pytest.mark.gui


class Order(BaseModel):
    """An order at a counter."""

    name: Annotated[str, FormField("Name", "Who takes it.")] = "AK"
    size: Annotated[
        Literal["small", "large"],
        FormField("Size", "How much.", {"small": ("Small", "a cup"), "large": ("Large", "a pot")}),
    ] = "small"
    to_go: Annotated[bool, FormField("To go", "In paper.")] = False
    shelf: Annotated[str, FormField("Shelf", "Where it stands.", folder=True)] = "by-name"
    number: int = 7


@pytest.fixture
def form(qtbot):
    from napari_fetal_iqa.widgets.forms import ModelForm

    form = ModelForm(Order(), ["name", "size", "to_go", "shelf"])
    qtbot.addWidget(form)
    form.show()
    form.orders = []
    form.changed.connect(form.orders.append)
    return form


def line(form, name):
    from napari_fetal_iqa.widgets.forms import text_line

    return text_line(form.controls[name])


def test_a_form_shows_the_values_titles_and_help_of_its_fields(form):
    assert form.value == Order()
    for name, control in form.controls.items():
        shown = form_field(Order, name)
        assert shown.help in control.tooltip
        assert shown.title in (control.label, getattr(control, "text", None))
    size = form.controls["size"].native
    assert [size.itemText(place) for place in range(size.count())] == ["Small", "Large"]
    assert size.itemData(1, Qt.ItemDataRole.ToolTipRole) == "a pot"


def test_typing_counts_once_it_is_ended(form, qtbot):
    field = line(form, "name")
    field.clear()
    qtbot.keyClicks(field, " BM ")
    assert form.orders == []
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert [order.name for order in form.orders] == ["BM"]
    assert form.orders[0].number == 7


def test_a_name_in_a_folder_field_stays_a_name(form, qtbot):
    field = line(form, "shelf")
    assert field.text() == "by-name"
    field.clear()
    qtbot.keyClicks(field, "other")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    form.set_field("shelf", "demo-cls")
    assert [order.shelf for order in form.orders] == ["other", "demo-cls"]


def test_a_folder_that_was_chosen_counts_at_once(form, monkeypatch, tmp_path):
    edit = form.controls["shelf"]
    monkeypatch.setattr(edit, "_show_file_dialog", lambda *_, **__: str(tmp_path))
    edit.choose_btn.native.click()
    assert [order.shelf for order in form.orders] == [str(tmp_path)]


def test_what_is_ticked_and_chosen_counts_at_once(form):
    form.controls["to_go"].native.click()
    form.controls["size"].native.setCurrentIndex(1)
    assert [(order.to_go, order.size) for order in form.orders] == [
        (True, "small"),
        (True, "large"),
    ]


def test_the_wheel_over_a_choice_changes_nothing(form, qapp):
    from qtpy.QtGui import QWheelEvent

    size = form.controls["size"].native
    event = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    qapp.sendEvent(size, event)
    assert not event.isAccepted()
    assert form.orders == []


def test_a_command_takes_its_help_from_the_same_place():
    assert help_of(Order, "size") == "How much. small: a cup; large: a pot."
    assert help_of(Order, "name") == "Who takes it."
    with pytest.raises(LookupError, match="number"):
        form_field(Order, "number")
