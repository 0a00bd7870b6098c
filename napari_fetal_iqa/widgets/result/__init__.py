"""The result of a case in the window: age by dates, growth, the report, DICOM."""
