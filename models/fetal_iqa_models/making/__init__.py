"""Models that are made without any training, of what others published."""
