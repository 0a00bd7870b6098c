"""The sweeps of one case together: one circumference, how sure it is, and where it is seen."""
