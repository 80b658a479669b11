"""The demo: one case goes by on a real network of four agencies while a node is killed; then everything is verified."""
