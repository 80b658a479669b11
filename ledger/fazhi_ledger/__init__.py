"""法治联盟链: what the ledger is: bytes, trees, blocks, certificates, receipts and their checks."""
