"""Work that runs beside the GUI thread, and comes back as signals."""
