"""Procedures as data:

rule sets (:mod:`.ruleset`), their making (:mod:`.compile`) and their reading over a case (:mod:`.interpreter`).
"""
