"""De-identified copies of sweeps: the fan alone, and nothing that says whose it is."""
