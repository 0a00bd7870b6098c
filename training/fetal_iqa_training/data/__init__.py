"""Frames with labels and outlines to learn from, and who is held out."""
