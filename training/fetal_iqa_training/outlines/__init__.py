"""Outlines that engineers drew for this project; see README.md beside the tables."""
