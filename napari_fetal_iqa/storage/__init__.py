"""Where files of this user live, how they are written whole, and the settings."""
