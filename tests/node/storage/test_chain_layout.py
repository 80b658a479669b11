"""What the items of a block came to, as it is stored."""

from __future__ import annotations

from fazhi_ledger.result import Finding, ResultRun
from fazhi_node.storage.chain_layout import BlockResults, pack_record_results
from hypothesis import given
from hypothesis import strategies as st

FINDINGS = st.lists(
    st.sampled_from([Finding("late", "P57", "grave", (("days", 91),)), Finding("signers-short", "P42", "irregular")]),
    max_size=3,
).map(tuple)
RUNS = st.lists(
    st.builds(ResultRun, st.binary(min_size=32, max_size=32), st.integers(1, 2**40), st.integers(1, 300), FINDINGS),
    max_size=5,
)


@given(st.lists(RUNS, max_size=4))
def test_runs_of_record_results_come_back_one_by_one(items: list[list[ResultRun]]) -> None:
    packed = tuple(pack_record_results(runs, [data for run in runs for data in run.encode()]) for runs in items)
    stored = BlockResults.decode(BlockResults(tuple(b"leaf" for _ in items), packed).encode())
    for index, runs in enumerate(items):
        expected = tuple(result for run in runs for result in run.results())
        assert stored.record_results(index) == expected
        assert [one.encode() for one in expected] == [data for run in runs for data in run.encode()]
        assert (stored.packed_records[index] == b"") == (not runs)


def test_a_run_takes_no_more_than_one_result() -> None:
    runs = [ResultRun(bytes(32), 1, 1000, ())]
    assert len(pack_record_results(runs, runs[0].encode())) < 50
