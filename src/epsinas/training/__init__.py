"""Benchmarks of one's own: networks trained on small labelled images."""
