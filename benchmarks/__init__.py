"""Benchmarks: ratios in one run, run by hand (`make bench`)."""
