"""The worklist: a dock that lists the sweeps of a folder, and the way from one to the next."""
