"""A small model learns what a large one says of sweeps that nobody labelled."""
