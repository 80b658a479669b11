"""Tests, one folder a distribution; those of the whole house stand here."""
