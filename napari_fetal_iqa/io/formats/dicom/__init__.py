"""DICOM ultrasound: files, folders and their pixels."""
