"""Case files in plain text, each with what the chain has to find in it."""
