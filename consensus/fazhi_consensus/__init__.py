"""法治联盟链: when a block is decided: step(event) to effects, PBFT."""
