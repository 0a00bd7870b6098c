"""Frames with labels and outlines to train on, and who is held out."""
