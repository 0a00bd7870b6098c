"""The page of a case: what was measured, on which frame, how sure it is; as PDF, HTML and data."""
