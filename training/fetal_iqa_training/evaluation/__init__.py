"""How good a model is: metrics, calibration, intervals, before and after."""
