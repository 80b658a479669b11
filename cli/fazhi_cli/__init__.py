"""法治联盟链: the command fazhi: verify, audit, submit."""
