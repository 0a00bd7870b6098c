"""How large a file of others, and what it claims, may be.

The largest genuine checkpoint is FetalCLIP_weights.pt: 1,710,766,661 bytes, 446 tensors, and a
pickle of 60 kB. A checkpoint of Lightning for FetalCLIP_SEG, fine-tuned whole, holds the network
and Adam's two moments of it: about 5 GB, 1,500 tensors, and a pickle of a quarter of a megabyte.
"""

LARGEST_CHECKPOINT = 8 << 30
"""Bytes: more than FetalCLIP with both of Adam's moments."""

LARGEST_MODEL_FILE = 4 << 30
"""Bytes of a file of a model folder: the largest encoder has 1.2 GB, and a list of the models reads
every one."""

LARGEST_HEADER = 4 << 20
"""Bytes of what says which tensors a file holds: its pickle, its safetensors header, or the
directory of its archive. Sixteen times those of FetalCLIP_SEG with Adam's moments."""

MOST_TENSORS = 20_000
"""Ten times those of FetalCLIP_SEG with Adam's moments."""

MOST_STEPS = 500_000
"""Instructions of a pickle. A tensor takes about thirty, so the largest genuine one has 65,000;
torch takes 2 seconds for as many of the slowest."""

MOST_AXES = 64
"""Of a tensor; torch can count no further."""

REPEATED_BYTES = 500 << 20
"""How much more the tensors may be than their file, or as much again as the file where that is
more: tied weights stand in it once, and are kept once for each of their names."""

LARGEST_CARD = 8_000_000
"""Of bytes of a ``model.json``: it names by hash all that taught the model and its ancestors, some
35 bytes a thing, and a data set of single images has two or three things an image."""
