"""Two readings of the challenge's metrics: as its evaluation runs, and as it was meant."""

from typing import Literal

Rules = Literal["corrected", "literal"]
"""Which reading to score by.

``literal`` does what the challenge's published evaluation does, to compare with its leaderboard:

1. Where the chosen frame is not annotated, the frame compared with is the previous annotated one
   whenever there is one within reach, even where the next one is nearer.
2. The Hausdorff distance is multiplied by the signed distance in frames, and so is negative where
   that frame comes before the chosen one.
3. The mask of that frame is taken whole, not inside the field of view as the prediction is.
4. Dice of two empty masks is infinite, and with it the score and every mean.
5. No frame (-1) is compared with the last frame of the case, as Python counts from the end.
6. The circumference goes through the centres of the mask's edge pixels, and of an outline that the
   field of view cuts into pieces through one piece alone; see :mod:`~.organisers`.
7. An annotation is taken as it is drawn, be it an outline that is not filled.

``corrected`` repairs just these:

1. The frame compared with is the nearest annotated one, the earlier of two equally near.
2. The Hausdorff distance is multiplied by the absolute distance.
3. Both masks are taken inside the field of view.
4. An empty mask on a frame without annotation, or no frame at all, has Dice 1 where nothing in the
   case is annotated, for then nothing was missed; else 0.
5. The score is kept in 0 to 1.
6. The circumference is measured as everywhere in this program.
7. An annotation that is an outline, or has holes, is filled, as for training.
"""

TOLERANCE_FRAMES = 15
"""How far a frame may be from an annotated one of its sweep and still earn something."""

WORST_HAUSDORFF_PX = 744.0 * TOLERANCE_FRAMES
"""Where there is nothing to compare with: the width of a frame times the tolerance."""
