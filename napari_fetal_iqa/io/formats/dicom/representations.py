"""Value representations of the elements that are decoded (PS3.6, chapter 6).

A file in implicit VR does not say how its numbers are stored: only the dictionary does.
"""

REPRESENTATIONS = {
    0x00080016: "UI",  # SOP class
    0x00080018: "UI",  # SOP instance
    0x00082144: "IS",  # recommended display frame rate
    0x00180040: "IS",  # cine rate
    0x00181063: "DS",  # frame time
    0x00181065: "DS",  # frame time vector
    0x00186011: "SQ",  # ultrasound regions
    0x00186012: "US",  # format of a region
    0x00186018: "UL",  # its first column
    0x0018601A: "UL",  # its first row
    0x0018601C: "UL",  # its last column
    0x0018601E: "UL",  # its last row
    0x00186024: "US",  # its units along columns
    0x00186026: "US",  # its units along rows
    0x0018602C: "FD",  # its scale along columns
    0x0018602E: "FD",  # its scale along rows
    0x0020000E: "UI",  # series
    0x00200011: "IS",  # series number
    0x00200013: "IS",  # instance number
    0x00280002: "US",  # samples per pixel
    0x00280004: "CS",  # photometric interpretation
    0x00280006: "US",  # planar configuration
    0x00280008: "IS",  # number of frames
    0x00280010: "US",  # rows
    0x00280011: "US",  # columns
    0x00280030: "DS",  # pixel spacing
    0x00280100: "US",  # bits allocated
    0x00280101: "US",  # bits stored
    0x00280102: "US",  # high bit
    0x00280103: "US",  # pixel representation
    0x00280120: "US",  # pixel padding value, or SS; its sign is that of the pixels
    0x00280121: "US",  # pixel padding range limit, likewise
    0x00281101: "US",  # palette descriptor, or SS; likewise
    0x00281201: "OW",  # red of a palette
    0x00281202: "OW",
    0x00281203: "OW",
    0x00281221: "OW",  # red of a segmented palette
    0x00281222: "OW",
    0x00281223: "OW",
    0x00289110: "SQ",  # pixel measures
    0x52009229: "SQ",  # shared functional groups
    0x52009230: "SQ",  # functional groups of each frame
    0x7FE00001: "OV",  # extended offset table
    0x7FE00002: "OV",  # and its lengths
    0x7FE00010: "OW",  # pixel data
}
"""By tag."""
