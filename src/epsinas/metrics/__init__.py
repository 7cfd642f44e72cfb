"""Metrics: what gives a network a score without training it."""
