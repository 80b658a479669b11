"""Peer transport: gRPC over mutual TLS, each connection pinned to one member (design §9). Nothing else in the house
sees gRPC.
"""
