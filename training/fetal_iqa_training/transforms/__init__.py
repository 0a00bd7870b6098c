"""What is done to frames before a network sees them in training."""
