"""Measures muscle_mem against its prototype and a plain loop, in one run; `python -m benchmarks --help`."""
