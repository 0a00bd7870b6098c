"""Outlines as numbers: ellipses, circumference, overlap of masks, masks as bytes."""
