"""Whole nodes under one seed: the production machine, ledger, contracts, vote log, chain store and state transfer, in a
simulated world in which everything breaks; and checkers that share nothing with what they judge.

``python -m tests.simulation.nodes 17 7`` replays seed 17 with seven nodes.
"""
