"""A hostile member against whole nodes: it proposes what must not be voted for, or serves what must not be believed.

The member holds its own key and real blocks, and each seed spoils something else. The other nodes are production
machines over the cluster of tests/node.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from fazhi_contracts.chain import build_block
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError
from fazhi_ledger.header import HEADER_FIELDS

from tests.node.cluster import SUITE, Cluster, signer_of
from tests.node.test_proposals import WITHHELD, Turn, _with_items, turn
from tests.node.test_sync import TAMPERED, Liar, alone, certify, grown, pairs_of, serving

Pairs = list[tuple[bytes, bytes]]


def propose(seed: int) -> None:
    """One spoiled proposal: nobody votes for it, nobody stops, and the chain goes on without it."""
    rng = random.Random(f"proposal {seed}")
    with turn() as t:
        t.cluster.run_for(4_000)
        block = rng.choice((_of_the_table, _other_header, _bad_item))(rng, t)
        block_hash = t.propose(block)
        assert block_hash not in t.prepared, f"a spoiled proposal was voted for: {block.header}"
        ids = t.cluster.submit("b", [t.cluster.item("c")])
        t.cluster.run_until(lambda: t.cluster.committed_everywhere(ids), 20_000)
        t.cluster.check_exactly_once()


def _of_the_table(rng: random.Random, t: Turn) -> Block:
    spoil, _ = WITHHELD[rng.choice(sorted(WITHHELD))]
    return spoil(t)


def _other_header(rng: random.Random, t: Turn) -> Block:
    """One field of the header is another."""
    block = t.build((t.cluster.item(),))
    name = rng.choice([name for name in HEADER_FIELDS if name not in ("height", "time_ms", "proposer")])
    value = getattr(block.header, name)
    if isinstance(value, bytes):
        spoiled = bytearray(value)
        spoiled[rng.randrange(len(spoiled))] ^= 1 << rng.randrange(8)
        other: object = bytes(spoiled)
    else:
        other = value + 1
    return Block(replace(block.header, **{name: other}), block.items)  # type: ignore[arg-type]


def _bad_item(rng: random.Random, t: Turn) -> Block:
    """An item that may not stand here: used already, twice, before its turn, of a stranger, or too late.

    The header is that of a block that holds it, where such a block can be built at all.
    """
    good = t.cluster.item()
    items = rng.choice(
        (
            (t.cluster.item("b"),),  # stands in block 2
            (good, good),
            (t.cluster.item(seq=1),),
            (t.cluster.item(signer=signer_of(9, "nobody")),),
            (t.cluster.item(until_ms=t.now_ms - 1),),
        )
    )
    try:
        return t.build(items)
    except FazhiError:
        return _with_items(t.build((good,)), items)


def serve(seed: int) -> None:
    """A new node asks a liar first: it takes nothing of what was spoiled, and catches up once an honest peer is there.

    Every block that it holds in the end is the chain's, under a certificate that holds.
    """
    rng = random.Random(f"transfer {seed}")
    with grown(6) as cluster:
        pairs = pairs_of(cluster, "a")
        validators = cluster["a"].running.validators
        alone(cluster)
        liar = Liar(cluster, "b")
        spoiled = rng.choice((_tampered, _flipped, _forged, _swapped))(rng, cluster, pairs)
        liar.claims = [max(len(pairs), len(spoiled))]
        liar.answer = serving(spoiled)
        cluster.start("d")
        cluster.run_for(2_000)
        cluster.network.detach("b")
        cluster.start("a")
        cluster.run_until(lambda: cluster["d"].height >= len(pairs), 20_000)
        reader = cluster["d"].running.reader
        for height in range(1, len(pairs) + 1):
            found = reader.block_and_certificate(height)
            assert found is not None
            assert found[0] == pairs[height - 1][0], f"another block at height {height}"
            certificate = CommitCertificate.decode(found[1])
            block_hash = Block.decode(found[0]).hash(SUITE)
            certificate.verify_for(SUITE, cluster.genesis_hash, validators, height, block_hash)


def _tampered(rng: random.Random, _: Cluster, pairs: Pairs) -> Pairs:
    return TAMPERED[rng.choice(sorted(TAMPERED))](pairs)


def _flipped(rng: random.Random, _: Cluster, pairs: Pairs) -> Pairs:
    """One bit of one block or certificate."""
    at, part = rng.randrange(len(pairs)), rng.randrange(2)
    data = bytearray(pairs[at][part])
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    changed = (bytes(data), pairs[at][1]) if part == 0 else (pairs[at][0], bytes(data))
    return [*pairs[:at], changed, *pairs[at + 1 :]]


def _swapped(rng: random.Random, _: Cluster, pairs: Pairs) -> Pairs:
    """Two blocks change places."""
    first, second = rng.sample(range(len(pairs)), 2)
    found = list(pairs)
    found[first], found[second] = found[second], found[first]
    return found


def _forged(rng: random.Random, cluster: Cluster, pairs: Pairs) -> Pairs:
    """A sound block of the liar's own, under a certificate that only the liar signed: too few, or with other names."""
    cluster.start("d")
    store = cluster["d"].store
    assert store is not None
    block = build_block(store.state(), "b", store.tip.time_ms + rng.randint(1, 1000), ()).block
    cluster.kill("d")
    certificate = certify(cluster, block, "b")
    if rng.random() < 0.7:
        ((_, signature),) = certificate.signatures
        certificate = replace(certificate, signatures=tuple((seat, signature) for seat in range(4)))
    return [(block.encode(), certificate.encode()), *pairs[1:]]


CAMPAIGNS: Final[dict[str, Callable[[int], None]]] = {"hostile proposals": propose, "hostile transfer": serve}
