"""Measures quell against its peers and writes docs/benchmarks.md; run it with `make bench`."""
