"""The section *Learn*: what there is to learn from, live curves, before and after."""
