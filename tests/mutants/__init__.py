"""Seeded bugs: rules of safety.md broken one at a time, and the campaigns that must notice (``python -m
tests.mutants``). A campaign that lets one through proves nothing where it finds nothing.
"""
