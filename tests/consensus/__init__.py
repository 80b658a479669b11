"""Tests of the consensus core. Which rule is shown by which test: :mod:`.test_rules`."""
