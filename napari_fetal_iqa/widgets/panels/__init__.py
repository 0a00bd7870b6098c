"""The parts of the review panel, one a module."""
