"""Fuzzing of everything that reads bytes from elsewhere: decoders, the gateway, the peers' interface, the commands."""
