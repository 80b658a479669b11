"""法治联盟链: what a block does: deterministic execution, procedures as data."""
