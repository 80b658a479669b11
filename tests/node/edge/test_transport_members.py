"""Members that come, go and change certificates while the transport runs: by what the chain says now, not by what it
said at the start."""

from __future__ import annotations

from .test_transport_network import Member, node, run, stop, until


def test_a_new_member_is_let_in_once_it_is_one() -> None:
    async def test() -> None:
        a, b, e = (Member.new(org) for org in "abe")
        old = [a.peer, b.peer]
        one, two, newcomer = node(a, old), node(b, old), node(e, [*old, e.peer])
        for each in (one, two, newcomer):
            await each.network.start()
        try:
            await until(lambda: one.connected == ["b"] and two.connected == ["a"], "the old members")
            await until(lambda: bool(newcomer.network.peers()[0]["reason"]), "the newcomer was refused")
            assert newcomer.connected == []
            for each in (one, two):
                each.network.set_peers([*old, e.peer])
            await until(lambda: sorted(newcomer.connected) == ["a", "b"], "it is let in")
            await until(lambda: "e" in one.connected and "e" in two.connected, "and called")
            newcomer.network.broadcast(b"hello")
            await until(lambda: ("e", b"hello") in one.frames and ("e", b"hello") in two.frames, "and heard")
            assert one.lost == two.lost == [], "nobody else noticed anything"
        finally:
            await stop(one, two, newcomer)

    run(test())


def test_who_is_no_member_any_more_is_cut_off() -> None:
    async def test() -> None:
        a, b, c = (Member.new(org) for org in "abc")
        everyone = [a.peer, b.peer, c.peer]
        one, two, leaver = (node(each, everyone) for each in (a, b, c))
        for each in (one, two, leaver):
            await each.network.start()
        try:
            await until(lambda: all(len(each.connected) == 2 for each in (one, two, leaver)), "all are connected")
            for each in (one, two):
                each.network.set_peers([a.peer, b.peer])
            await until(lambda: sorted(leaver.lost) == ["a", "b"], "both ends are closed")
            assert one.lost == two.lost == ["c"]
            leaver.network.broadcast(b"still here")
            one.network.broadcast(b"to members")
            await until(lambda: ("a", b"to members") in two.frames, "the others go on")
            assert not [frame for org, frame in (*one.frames, *two.frames) if org == "c"]
            assert "c" not in {str(peer["org"]) for peer in one.network.peers()}
        finally:
            await stop(one, two, leaver)

    run(test())


def test_another_certificate_takes_the_place_of_the_old_one() -> None:
    async def test() -> None:
        a, b = Member.new("a"), Member.new("b")
        renewed = Member.new("b")
        one, two = node(a, [a.peer, b.peer]), node(b, [a.peer, b.peer])
        await one.network.start()
        await two.network.start()
        try:
            await until(lambda: one.connected == ["b"] and two.connected == ["a"], "both links are up")
            one.network.set_peers([a.peer, renewed.peer])
            await until(lambda: two.lost == ["a"] and one.lost == ["b"], "the old certificate is no member's")
            await until(lambda: "UNAUTHENTICATED" in str(two.network.peers()[0]["reason"]), "and is refused")
            await until(lambda: two.network.peers()[0]["connected"] is False, "for good")
            refused = [facts for event, facts in one.notices if event == "peer-refused"]
            assert len(refused) == 1, "the log says so once"
            await stop(two)
            again = node(renewed, [a.peer, renewed.peer])
            await again.network.start()
            try:
                await until(lambda: again.connected == ["a"] and one.connected == ["b", "b"], "the new one is let in")
            finally:
                await stop(again)
        finally:
            await stop(one)

    run(test())
