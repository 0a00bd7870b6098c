"""Models as one graph for OpenVINO, which computes on the CPU without torch."""

import sys

# OpenVINO tells its makers over the net that it was imported, and nncf of each use, unless this
# package is missing; neither needs it. All that imports either imports this folder before.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
