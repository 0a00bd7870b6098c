"""One module for each file format, and what two or more of them share.

``metaimage``, ``nifti``, ``nrrd``, ``pictures``, ``video`` and the folder ``dicom`` each read one
format; ``text_header`` holds the fields of the first and the third, ``pixel_block`` the pixels of
all that keep them in one piece. A format is imported with its first file, so that opening a sweep
waits for no other one's libraries.
"""
