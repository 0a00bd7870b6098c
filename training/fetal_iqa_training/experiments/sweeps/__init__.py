"""How many sweeps a case needs, and what smoothing over frames brings."""
