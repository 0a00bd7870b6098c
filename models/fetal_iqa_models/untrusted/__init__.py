"""Files that others made, looked at within bounds before any library reads them; torch-free."""
