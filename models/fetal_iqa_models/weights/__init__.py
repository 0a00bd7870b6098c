"""Pretrained weights on this machine: fetch, import, keep, find and verify them."""
