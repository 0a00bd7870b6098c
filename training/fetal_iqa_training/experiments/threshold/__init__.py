"""Which threshold decides, for the area and for both scores together."""
