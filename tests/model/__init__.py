"""The formal model of consensus (``spec/model``), searched by TLC, and the traces of the simulator checked against it
(``python -m tests.model``).
"""
