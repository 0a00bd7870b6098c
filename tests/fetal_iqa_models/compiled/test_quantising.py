"""int8 by nncf: the network alone is quantised, what shall stay stays, and nobody is told."""

import numpy as np
import openvino
import pytest

from fetal_iqa_models import ModelError
from fetal_iqa_models.compiled import quantising
from fetal_iqa_models.compiled.compiling import example_frames
from fetal_iqa_models.compiled.graph_folder import GRAPH_FILE, find_compiled
from fetal_iqa_models.compiled.quantising import RUNGS, quantised


def test_without_nncf_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantising, "can_quantise", lambda: False)
    found = find_compiled("demo-cls")
    assert found is not None
    with pytest.raises(ModelError, match="pip install nncf"):
        quantised(found.folder / GRAPH_FILE, list(example_frames((60, 80))), RUNGS[0])


def test_what_comes_before_the_network_and_its_head_stay_in_full_precision() -> None:
    pytest.importorskip("nncf")
    found = find_compiled("demo-cls")
    assert found is not None
    frames = list(example_frames((60, 80)))
    least = None
    for rung in RUNGS[:4]:
        model = quantised(found.folder / GRAPH_FILE, frames, rung)
        layers = {
            node.get_friendly_name()
            for op in model.get_ops()
            if op.get_type_name() == "FakeQuantize"
            for node in (target.get_node() for target in op.output(0).get_target_inputs())
        }
        assert layers
        assert all(name.startswith("__module.network") for name in layers)
        if rung.kept:
            assert not any(".network.head." in name for name in layers)
        assert least is None or len(layers) <= least
        least = len(layers)
    told = openvino.Core().compile_model(model, "CPU")(np.stack(frames))
    assert np.isfinite(told["quality"]).all()
