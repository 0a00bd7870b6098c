"""Nobody is told over the net that a model is used, compiled or quantised."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

TELLS = "open({!r}, 'a').write('imported ')\nTelemetry = None\n"

USES = {
    "a prediction": """
import numpy as np
from fetal_iqa_models import CompiledPredictor, find_compiled
next(CompiledPredictor(cls=find_compiled("demo-cls")).predict(np.zeros((1, 60, 80), np.uint8)))
""",
    "a compilation": """
from pathlib import Path
from fetal_iqa_models import compile_model
compile_model("demo-cls", Path("graphs"))
""",
    "a quantisation": """
import numpy as np
from fetal_iqa_models import find_compiled
from fetal_iqa_models.compiled.quantising import RUNGS, quantised
quantised(
    find_compiled("demo-cls").folder / "graph.xml", list(np.zeros((2, 60, 80), np.uint8)), RUNGS[0]
)
""",
}


def told_of(code: str, folder: Path) -> bool:
    """Run code where the telemetry notes that it was imported."""
    module = folder / "openvino_telemetry"
    module.mkdir()
    (module / "__init__.py").write_text(TELLS.format(str(folder / "told")))
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    return (folder / "told").exists()


@pytest.mark.parametrize("use", USES)
def test_nobody_is_told_of(use: str, tmp_path: Path) -> None:
    if use == "a quantisation" and importlib.util.find_spec("nncf") is None:
        pytest.skip("nncf is not installed: pip install nncf")
    assert not told_of(USES[use], tmp_path)


def test_openvino_by_itself_would_tell(tmp_path: Path) -> None:
    assert told_of("try:\n    import openvino\nexcept TypeError:\n    pass", tmp_path)
