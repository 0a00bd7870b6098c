"""One module a file format, each with its own reader."""
