"""Measuring fazhi: the machine's ceilings, then four real nodes beside them (``python -m bench``, see README.md)."""
