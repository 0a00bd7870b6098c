"""A case as DICOM objects for other systems: segmentation, report, picture; and DICOMweb."""
