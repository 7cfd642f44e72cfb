"""Data sets: what networks are trained and scored on. A data set is one module with one constant, `DATASET`."""
