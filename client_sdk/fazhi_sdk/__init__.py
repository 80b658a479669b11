"""法治联盟链: client, outbox, sealing and receipts for programs."""
