"""The dock below the frames: scores, areas and labels along the sweeps."""
