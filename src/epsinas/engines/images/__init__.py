"""Interpreters of convolutional networks over image batches."""
