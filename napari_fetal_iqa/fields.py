"""What forms and commands show of a field of a pydantic model: its name, its help, its choices.

Both read it from the model, so that a form in the window, the option of a command and the help of
either come from one place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel


@dataclass(frozen=True)
class FormField:
    """How a field is shown: ``name: Annotated[str, FormField("Name", "Of the sweep.")]``.

    Parameters
    ----------
    title : str
        Name beside the control.
    help : str
        One or two sentences: the tooltip, and the help of the command's option.
    choices : mapping of str to (str, str)
        Of a field with few values: of each value its name in the form, and what it means.
    folder : bool
        The value names a folder: the form offers to choose one.
    empty : str
        What a text that is left empty means, in a word or two.
    """

    title: str
    help: str
    choices: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    folder: bool = False
    empty: str = ""


def form_field(model: type[BaseModel], name: str) -> FormField:
    """Return how a field is shown.

    Raises
    ------
    LookupError
        Where it is a field that forms and commands do not show.
    """
    for note in model.model_fields[name].metadata:
        if isinstance(note, FormField):
            return note
    raise LookupError(f"{model.__name__}.{name} has no FormField")


def help_of(model: type[BaseModel], name: str) -> str:
    """Return the help of a command's option for a field: what it is, and what each choice means."""
    shown = form_field(model, name)
    meanings = "; ".join(f"{value}: {meaning}" for value, (_, meaning) in shown.choices.items())
    return f"{shown.help} {meanings}." if meanings else shown.help
