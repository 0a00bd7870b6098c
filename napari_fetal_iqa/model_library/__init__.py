"""The models on this machine: which is in use, whose child each is, how it compares."""
