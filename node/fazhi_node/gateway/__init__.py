"""The node's HTTP face: what bureaus, auditors and operators talk to. It translates; whatever it decides was decided
by the machine.
"""
