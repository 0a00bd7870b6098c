"""A graph in two: what makes the network's input, and the network; torch-free.

In bf16 the whole of it could not be computed: a place along a line of 744 pixels is known to four
pixels, so frames would be resampled wrongly.
"""

from typing import Any

from fetal_iqa_models.errors import ModelError

_NETWORK = "__module.network"
_COLOURS = 3


def split_at_input(model: Any) -> tuple[Any, Any]:
    """Split an openvino.Model of uint8 frames, which is used up.

    Returns
    -------
    before, after : openvino.Model
        From frames to the network's input, (N, 3, S, S), and from there to what is told.

    Raises
    ------
    ModelError
        Where the graph has no such place.
    """
    import openvino
    from openvino import opset13

    cut = None
    for op in model.get_ordered_ops():
        if op.get_friendly_name().startswith(_NETWORK):
            break
        if op.get_type_name() != "Divide":
            continue
        shape = op.get_output_partial_shape(0)
        if shape.rank.is_static and shape.rank.get_length() == 4 and shape[1] == _COLOURS:
            cut = op
    if cut is None:
        raise ModelError("this graph has no place between preprocessing and network")
    parameters = model.get_parameters()
    results = model.get_results()
    entry = opset13.parameter(cut.get_output_partial_shape(0), openvino.Type.f32)
    for target in cut.output(0).get_target_inputs():
        target.replace_source_output(entry.output(0))
    before = openvino.Model([cut.output(0)], parameters, "before")
    return before, openvino.Model(results, [entry], "after")
