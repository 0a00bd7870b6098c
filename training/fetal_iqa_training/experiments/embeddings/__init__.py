"""Where encoders put the frames: embeddings in the plane."""
