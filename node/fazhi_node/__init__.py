"""法治联盟链: a member's node: sockets, disk and time."""
