"""Models as one graph for OpenVINO, which computes on the CPU without torch."""
