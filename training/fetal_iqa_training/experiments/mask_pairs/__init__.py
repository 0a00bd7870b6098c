"""Figure 3 of the paper: true and predicted masks side by side."""
