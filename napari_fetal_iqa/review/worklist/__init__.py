"""Many sweeps to review: which there are, what is known of each, and what a list of them shows."""
