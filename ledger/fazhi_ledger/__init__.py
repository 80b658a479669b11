"""What the ledger is: canonical bytes, suites, keys, Merkle log, state tree, blocks, certificates, receipts and their
checks.

The ground floor: it imports nothing of ours, knows no clock, network or disk, and every check raises a named error.
"""
