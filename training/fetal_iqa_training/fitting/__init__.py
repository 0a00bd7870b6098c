"""Fitting a network: losses, samplers, the loop, fit and fine-tuning."""
