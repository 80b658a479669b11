"""The same load against systems that package registries provide, on the same machine in the same run: ``make
bench-peers``.
"""
