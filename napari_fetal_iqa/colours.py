"""One meaning a colour, everywhere: Okabe and Ito's palette, distinct to colour-blind eyes."""

MODEL = "#56B4E9"
EXPERT = "#E69F00"
OPTIMAL = "#009E73"
SUBOPTIMAL = "#F0E442"
NONE = "#808080"
ERROR = "#D55E00"
OTHER = "#CC79A7"
