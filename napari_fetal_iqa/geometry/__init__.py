"""Outlines as numbers: ellipses, circumference, masks as bytes."""
