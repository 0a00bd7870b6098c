"""Small pictures of the frames that are worth measuring, above the timeline."""
