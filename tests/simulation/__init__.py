"""The deterministic simulator of consensus: whole clusters in one thread, simulated time, one seed a run (``python -m
tests.simulation``).
"""
