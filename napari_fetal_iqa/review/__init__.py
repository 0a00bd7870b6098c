"""The review of one sweep without a window: what counts, what comes next, who disagrees."""
