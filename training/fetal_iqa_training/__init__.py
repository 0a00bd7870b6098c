"""Training FetalCLIP_CLS and FetalCLIP_SEG: fitting, judging, and learning from corrections."""
