"""法治联盟链: when a block is decided: step(event) to effects, PBFT with QBFT's round change (arXiv 2002.03613).

The runtime in one paragraph. Make a :class:`~.replica.Replica`, give it the vote log's records (``restore``), then
``StartHeight``. For each incoming message: ``decode_message``, ``Replica.triage``, ``screen``, check the candidate's
equations, ``seal``, and ``step(Received(…))``. Carry out the effects of every step in their order, a ``Persist``
durably. On ``Decide`` make block and certificate durable in one batch, then ``StartHeight`` of the next height; only
then may the records of the decided height be dropped.
"""
