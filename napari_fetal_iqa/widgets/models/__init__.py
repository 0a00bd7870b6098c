"""The dialog of the models and weights on this machine: use, go back, send, receive, fetch."""
