"""The gateway of a real node process: every route, every error, every bound. One member suffices: what is tested is
the edge.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from fazhi_contracts.entries import Counter
from fazhi_contracts.head import CaseHead
from fazhi_contracts.in_force import Rules
from fazhi_contracts.keys import case_state_key, procedure_key, serial_key
from fazhi_contracts.rulebook import decoded_procedure
from fazhi_ledger import merkle
from fazhi_ledger.canonical import decode, encode
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.genesis import GenesisFile, rule_set_hash
from fazhi_ledger.header import Header
from fazhi_ledger.record import case_id, case_key, records_root
from fazhi_ledger.result import Result, record_results_root
from fazhi_ledger.stateproof import StateProof, verify_absence, verify_presence
from fazhi_ledger.submission import Item
from fazhi_node.gateway import schemas
from fazhi_node.gateway.submit import MAX_PROOF_BLOCKS, MAX_PROOFS, MEDIA_TYPE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from .processes import SUITE, Answer, Network, NodeProcess, until

LIMITS = {
    "FAZHI_NODE_HTTP_BODY_BYTES": "1000000",
    "FAZHI_NODE_HTTP_BODY_SECONDS": "1",
    "FAZHI_NODE_HTTP_ITEMS": "510",
    "FAZHI_NODE_HTTP_CONCURRENCY": "8",
    "FAZHI_NODE_EVENT_STREAMS": "2",
    "FAZHI_NODE_HTTP_WAIT_MS": "3000",
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("gateway"), orgs=("zfj",), plain=True, environment=LIMITS) as made:
        made.start()
        made.commit(made.nodes[0], made.lead("甲"))
        yield made


@pytest.fixture(scope="module")
def node(network: Network) -> NodeProcess:
    return network.nodes[0]


def problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """The answer is that problem, well-formed."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json
    schemas.ProblemBody.model_validate(body)
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"] != code
    assert not body["detail"].startswith(f"{code} ("), "every code has its sentence"
    return body


def ok(answer: Answer, model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """The answer is what OpenAPI says."""
    assert answer.status == status, answer.body
    model.model_validate(answer.json)
    found: dict[str, Any] = answer.json
    return found


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def case(number: str) -> bytes:
    """The chain's name of the case that :meth:`Network.lead` opens under this number."""
    return case_id(SUITE, "zfj", case_key(SUITE, "zfj", "penalty", number))


# Health, status, headers


def test_health_status_and_genesis_are_open(network: Network, node: NodeProcess) -> None:
    ok(node.get("/healthz", token=False), schemas.Health)
    ok(node.get("/readyz", token=False), schemas.Ready)
    status = ok(node.get("/v1/status", token=False), schemas.StatusBody)
    assert (status["org"], status["ready"], status["validator"]) == ("zfj", True, True)
    answer = node.get("/v1/genesis", token=False)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert GenesisFile.decode(answer.body).hash() == network.genesis_hash


def test_every_answer_carries_the_security_headers(node: NodeProcess) -> None:
    for path in ("/healthz", "/v1/status", "/v1/blocks/1", "/nowhere", "/openapi.json"):
        headers = node.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_reads_need_a_token(node: NodeProcess) -> None:
    paths = [
        "/v1/blocks/1",
        "/v1/blocks",
        "/v1/archive",
        "/v1/snapshot",
        "/v1/validators",
        "/v1/checkpoint",
        "/v1/events",
        "/metrics",
    ]
    paths += [f"/v1/submissions/{'0' * 64}", f"/v1/cases/{'0' * 64}", f"/v1/keys/{'0' * 64}", "/nowhere"]
    for path in paths:
        answer = node.get(path, token=False)
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        for wrong in ("Bearer ", "Bearer wrong", f"Basic {node.token}", node.token, f"Bearer {node.token}x"):
            problem(node.get(path, token=False, headers={"Authorization": wrong}), 401, "unauthorized")


def test_errors_speak_the_language_that_is_asked_for(node: NodeProcess) -> None:
    def detail(accept: str) -> str:
        return str(node.get("/nowhere", headers={"Accept-Language": accept}).json["detail"])

    assert "没有" in detail("zh-CN,zh;q=0.9,en;q=0.8")
    assert "There is" in detail("en-GB,zh;q=0.5")
    assert "There is" in detail("de, en;q=0.2")
    for odd in ("", "fr", "*", "zh;q=0, en;q=0.1;x=2", "q" * 5000, "en;q=nan", "\xff\xfe"):
        assert node.get("/nowhere", headers={"Accept-Language": odd}).status == 404


def test_unknown_paths_and_methods_are_problems(node: NodeProcess) -> None:
    problem(node.get("/nowhere"), 404, "no-such-route")
    problem(node.get("/v1/submissions"), 405, "method-not-allowed")
    authorised = {"Authorization": f"Bearer {node.token}"}
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        problem(node.request(method, "/v1/blocks/1", headers=authorised), 405, "method-not-allowed")
    assert node.request("HEAD", "/v1/blocks/1", headers=authorised).status == 405
    problem(node.get("/docs"), 404, "no-such-route")


# Reading the chain


def test_blocks_checkpoint_and_consistency_verify(network: Network, node: NodeProcess) -> None:
    for number in range(3):
        network.commit(node, network.lead(f"历史 {number}"))
    page = ok(node.get("/v1/blocks?from=1&limit=2"), schemas.BlocksBody)
    assert [block["height"] for block in page["blocks"]] == [1, 2]
    assert page["next"] == 3
    for block in page["blocks"]:
        assert block["hash"] == Header.decode(raw(block["header"])).hash(SUITE).hex()
    assert page["blocks"][0] == ok(node.get("/v1/blocks/1"), schemas.BlockBody)
    validators = network.genesis.genesis.validator_set()
    newest = ok(node.get("/v1/checkpoint"), schemas.CertifiedHeader)
    header = Header.decode(raw(newest["header"]))
    certificate = CommitCertificate.decode(raw(newest["certificate"]))
    certificate.verify_for(SUITE, network.genesis_hash, validators, header.height, header.hash(SUITE))
    ok(node.get("/v1/checkpoint?height=1"), schemas.CertifiedHeader)
    found = ok(node.get(f"/v1/consistency?from=2&to={header.height}"), schemas.ConsistencyBody)
    older, newer = Header.decode(raw(found["from_header"])), Header.decode(raw(found["header"]))
    proof = tuple(bytes.fromhex(digest) for digest in found["consistency"])
    merkle.verify_consistency(SUITE, 2, older.history_root, newer.height, newer.history_root, proof)
    leaf = merkle.leaf_hash(SUITE, older.hash(SUITE))
    inclusion = tuple(bytes.fromhex(digest) for digest in found["inclusion"])
    merkle.verify_inclusion(SUITE, leaf, 2, newer.height, inclusion, newer.history_root)
    assert ok(node.get("/v1/consistency?from=1&to=1"), schemas.ConsistencyBody)["inclusion"] == []
    problem(node.get("/v1/blocks/999999"), 404, "unknown-block")
    problem(node.get("/v1/checkpoint?height=999999"), 404, "unknown-block")
    problem(node.get("/v1/consistency?from=3&to=2"), 400, "bad-parameter")
    assert node.get("/v1/blocks?from=999999").json == {"blocks": [], "next": None}


def test_a_record_and_its_proof(network: Network, node: NodeProcess) -> None:
    item = network.lead("证明")
    (result,) = network.commit(node, item)
    found = ok(node.get(f"/v1/submissions/{result['id']}"), schemas.SubmissionBodyAnswer)
    assert found["records"][0]["case_id"] == case("证明").hex()
    proof = ok(node.get(f"/v1/submissions/{result['id']}/proof?record=0"), schemas.SubmissionProof)
    header = Header.decode(raw(proof["header"]))
    path = tuple(bytes.fromhex(digest) for digest in proof["submission_proof"])
    leaf = merkle.leaf_hash(SUITE, raw(proof["submission"]))
    index, count = proof["submission_index"], header.submission_count
    merkle.verify_inclusion(SUITE, leaf, index, count, path, header.submissions_root)
    assert raw(proof["submission"]) == item.envelope()
    assert raw(proof["record"]) == item.records[0]
    leaf = merkle.leaf_hash(SUITE, raw(proof["result"]))
    path = tuple(bytes.fromhex(digest) for digest in proof["result_proof"])
    merkle.verify_inclusion(SUITE, leaf, index, count, path, header.results_root)
    assert Result.decode(raw(proof["result"])).submission_id.hex() == result["id"]
    whole = ok(node.get(f"/v1/submissions/{result['id']}/proof?records=all"), schemas.SubmissionProof)
    assert whole == {**proof, "record_results": [proof["record_result"]]}
    root = Result.decode(raw(proof["result"])).record_results_root
    assert record_results_root(SUITE, tuple(map(raw, whole["record_results"]))) == root
    problem(node.get(f"/v1/submissions/{result['id']}/proof?records=some"), 400, "bad-parameter")
    problem(node.get(f"/v1/submissions/{'0' * 64}/proof?records=all"), 404, "unknown-submission")
    problem(node.get(f"/v1/submissions/{result['id']}/proof?record=1"), 404, "unknown-record")
    problem(node.get(f"/v1/submissions/{'0' * 64}/proof"), 404, "unknown-submission")
    assert ok(node.get(f"/v1/submissions/{'0' * 64}"), schemas.SubmissionBodyAnswer)["status"] == "unknown"


def test_a_refused_submission_has_a_proof_of_its_refusal(network: Network, node: NodeProcess) -> None:
    network.commit(node, network.lead("重复立案"))
    (result,) = network.commit(node, network.lead("重复立案"))
    assert result["code"] != "OK"
    found = ok(node.get(f"/v1/submissions/{result['id']}"), schemas.SubmissionBodyAnswer)
    assert (found["code"], found["records"]) == (result["code"], [])
    proof = ok(node.get(f"/v1/submissions/{result['id']}/proof"), schemas.SubmissionProof)
    assert proof["record"] is None
    assert Result.decode(raw(proof["result"])).code == result["code"]


def test_a_committed_answer_carries_its_proof_for_those_who_may_read(network: Network, node: NodeProcess) -> None:
    items = [network.lead("同证 1"), network.lead("同证 1")]  # the second is refused: the case exists

    def answered(status: int = 200, *more: Item, **how: bool) -> list[dict[str, Any]]:
        answer = node.submit([*items, *more], wait_ms=3000, **how)
        found: list[dict[str, Any]] = ok(answer, schemas.SubmitAnswer, status)["results"]
        return found

    for result in answered(proof=True, token=True) + answered(proof=True, token=True):
        assert result["proof"] == ok(node.get(f"/v1/submissions/{result['id']}/proof"), schemas.SubmissionProof)
    assert [result["code"] == "OK" for result in answered()] == [True, False]
    for told in (answered(), answered(proof=True), answered(token=True)):
        assert [result.get("proof") for result in told] == [None, None]
    waiting = network.lead("同证 2", lane=os.urandom(16), seq=1)
    *told, pending = answered(202, waiting, proof=True, token=True)
    assert [result["proof"]["record"] is None for result in told] == [False, True]
    assert "proof" not in pending
    for query in ("proof=2", "proof=1&proof=1", "proof="):
        problem(post(node, b"", f"/v1/submissions?{query}"), 400, "bad-parameter")


def test_one_answer_carries_so_many_proofs(network: Network, node: NodeProcess) -> None:
    items = [network.lead(f"多证 {number}") for number in range(MAX_PROOFS + 2)]
    until(lambda: node.submit(items, wait_ms=3_000).status == 200, "all are committed", 60)
    results = ok(node.submit(items, proof=True, token=True), schemas.SubmitAnswer)["results"]
    assert [("proof" in result) for result in results] == [True] * MAX_PROOFS + [False] * 2


def test_one_answer_carries_proofs_of_so_many_blocks(network: Network, node: NodeProcess) -> None:
    items = [network.lead(f"散证 {number}") for number in range(MAX_PROOF_BLOCKS + 2)]
    heights = [network.commit(node, item)[0]["height"] for item in items]
    assert len(set(heights)) == len(items)
    results = ok(node.submit(items, proof=True, token=True), schemas.SubmitAnswer)["results"]
    assert [("proof" in result) for result in results] == [True] * MAX_PROOF_BLOCKS + [False] * 2


def test_cases_are_proven_present_and_absent(network: Network, node: NodeProcess) -> None:
    network.commit(node, network.lead("在案"))
    key = case("在案")
    found = ok(node.get(f"/v1/cases/{key.hex()}"), schemas.CaseBody)
    header = Header.decode(raw(found["header"]))
    proof = StateProof.from_value(decode(raw(found["proof"])))
    verify_presence(SUITE, header.state_root, case_state_key(key), raw(found["head"]), proof)
    assert [event["number"] for event in found["events"]] == [1]
    assert node.get(f"/v1/cases/{key.hex()}?first=2").json["events"] == []
    absent = case("不在案")
    body = problem(node.get(f"/v1/cases/{absent.hex()}"), 404, "not-found")
    header = Header.decode(raw(body["header"]))
    proof = StateProof.from_value(decode(raw(body["proof"])))
    verify_absence(SUITE, header.state_root, case_state_key(absent), proof)
    assert body["head"] is None


def test_the_rules_of_a_block_are_told_by_their_hash(network: Network, node: NodeProcess) -> None:
    network.commit(node, network.lead("依何规则"))
    header = Header.decode(raw(ok(node.get("/v1/checkpoint"), schemas.CertifiedHeader)["header"]))
    at = f"/v1/rules/{header.rules_hash.hex()}"
    found = ok(node.get(f"{at}?procedure=penalty"), schemas.RulesBody)
    rules = Rules.decode(raw(found["rules"]))
    assert rules.hash(SUITE) == header.rules_hash
    entry = rules.procedure("penalty")
    assert entry is not None
    assert [rule_set_hash(SUITE, raw(one)) for one in found["rule_sets"]] == list(entry.hashes) != []
    assert found["calendars"] == []
    assert node.get(at).json["rule_sets"] == node.get(f"{at}?procedure=nothing").json["rule_sets"] == []
    problem(node.get(f"/v1/rules/{'00' * 32}"), 404, "unknown-rules")
    problem(node.get(f"{at}?procedure=%2E"), 400, "bad-parameter")


def test_what_is_installed_of_a_procedure_is_proven(network: Network, node: NodeProcess) -> None:
    network.commit(node, network.lead("哪些程序"))
    body = ok(node.get("/v1/procedures/penalty"), schemas.ProcedureBody)
    header, entry = Header.decode(raw(body["header"])), raw(body["entry"])
    proof = StateProof.from_value(decode(raw(body["proof"])))
    verify_presence(SUITE, header.state_root, procedure_key("penalty"), entry, proof)
    assert [rule_set_hash(SUITE, raw(one)) for one in body["rule_sets"]] == list(decoded_procedure(entry).hashes) != []
    absent = problem(node.get("/v1/procedures/nothing"), 404, "not-found")
    header = Header.decode(raw(absent["header"]))
    proof = StateProof.from_value(decode(raw(absent["proof"])))
    verify_absence(SUITE, header.state_root, procedure_key("nothing"), proof)
    problem(node.get("/v1/procedures/Nothing"), 400, "bad-parameter")


def test_cases_are_listed_with_how_many_there_are(network: Network, node: NodeProcess) -> None:
    """Every serial up to the counter, each proven under its page's header, and that there is none of another year."""
    for number in range(3):
        network.commit(node, network.lead(f"列{number}"))
    (series,) = ok(node.get("/v1/series"), schemas.SeriesListBody)["series"]
    assert (series["org"], series["procedure"], node.get("/v1/series").json["more"]) == ("zfj", "penalty", False)
    of_series = f"org=zfj&procedure=penalty&year={series['year']}"
    assert node.get(f"/v1/series?{of_series}").json["series"] == []
    serials: list[int] = []
    after: int | None = 0
    while after is not None:
        found = ok(node.get(f"/v1/cases?{of_series}&after={after}&limit=2"), schemas.CasesBody)
        root = Header.decode(raw(found["header"])).state_root
        proof = StateProof.from_value(decode(raw(found["counter_proof"])))
        key = serial_key("zfj", "penalty", series["year"])
        verify_presence(SUITE, root, key, raw(found["counter"]), proof)
        assert Counter.decode(raw(found["counter"])).value == series["cases"]
        for one in found["cases"]:
            proof = StateProof.from_value(decode(raw(one["proof"])))
            verify_presence(SUITE, root, case_state_key(bytes.fromhex(one["case"])), raw(one["head"]), proof)
            head = CaseHead.decode(raw(one["head"]))
            assert (head.org, head.procedure, head.year) == ("zfj", "penalty", series["year"])
            serials.append(head.serial)
        after = found["next"]
    assert serials == list(range(1, series["cases"] + 1))
    found = ok(node.get(f"/v1/cases?{of_series}&after={series['cases']}"), schemas.CasesBody)
    assert (found["cases"], found["next"]) == ([], None)
    found = ok(node.get("/v1/cases?org=zfj&procedure=penalty&year=1999"), schemas.CasesBody)
    proof = StateProof.from_value(decode(raw(found["counter_proof"])))
    verify_absence(SUITE, Header.decode(raw(found["header"])).state_root, serial_key("zfj", "penalty", 1999), proof)
    assert (found["counter"], found["cases"]) == (None, [])
    for bad in ("org=zfj&procedure=penalty", f"{of_series}&limit=101", "org=ZFJ&procedure=penalty&year=2026"):
        problem(node.get(f"/v1/cases?{bad}"), 400, "bad-parameter")


def test_keys_lanes_and_validators(network: Network, node: NodeProcess) -> None:
    key = network.officer.public_key.hex()
    found = ok(node.get(f"/v1/keys/{key}"), schemas.KeyBody)
    assert (found["org"], found["revoked_height"]) == ("zfj", None)
    problem(node.get(f"/v1/keys/{'ab' * 32}"), 404, "not-found")
    lane = os.urandom(16)
    assert ok(node.get(f"/v1/lanes/zfj/{key}/{lane.hex()}"), schemas.LaneAnswer) == {"next_seq": 0}
    network.commit(node, network.lead("通道", lane=lane))
    assert node.get(f"/v1/lanes/zfj/{key}/{lane.hex()}").json == {"next_seq": 1}
    validators = ok(node.get("/v1/validators"), schemas.ValidatorsBody)
    assert [seat["member"] for seat in validators["validators"]] == ["zfj"]


def test_the_archive_streams(network: Network, node: NodeProcess) -> None:
    from fazhi_ledger.archive import read_archive

    file, blocks = read_archive([node.get("/v1/archive").body])
    assert file.hash() == network.genesis_hash
    assert sum(1 for _ in blocks) >= 1


def test_metrics(node: NodeProcess) -> None:
    answer = node.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert b"fazhi_height " in answer.body


# Submitting


def post(node: NodeProcess, body: bytes, path: str = "/v1/submissions", media_type: str = MEDIA_TYPE) -> Answer:
    return node.request("POST", path, body, {"Content-Type": media_type})


def test_one_bad_item_never_harms_the_others(network: Network, node: NodeProcess) -> None:
    good = network.lead("批 1")
    forged = bytearray(network.lead("批 2", lane=os.urandom(16)).encode())
    forged[forged.rindex(network.officer.public_key) + 40] ^= 1
    foreign = network.lead("批 3", genesis_hash=bytes(32), lane=os.urandom(16))
    body = encode((good.encode(), b"nonsense", bytes(forged), foreign.encode(), b""))
    answer = ok(post(node, body, "/v1/submissions?wait_ms=5000"), schemas.SubmitAnswer)
    statuses = [result["status"] for result in answer["results"]]
    assert statuses == ["committed", "invalid", "invalid", "invalid", "invalid"]
    for result in answer["results"][1:]:
        assert result["error"]["detail"] != result["code"]
        assert not result["error"]["detail"].startswith(f"{result['code']} (")
    assert answer["results"][1]["id"] is None


def test_another_body_for_a_used_seq_is_a_conflict(network: Network, node: NodeProcess) -> None:
    lane = os.urandom(16)
    network.commit(node, network.lead("冲突 1", lane=lane))
    other = network.lead("冲突 2", lane=lane, seq=0)
    answer = ok(node.submit([other], wait_ms=2000), schemas.SubmitAnswer)
    assert [result["status"] for result in answer["results"]] == ["conflict"]


def test_a_gap_waits_and_is_filled(network: Network, node: NodeProcess) -> None:
    lane = os.urandom(16)
    first, second = network.lead("缺口 1", lane=lane), network.lead("缺口 2", lane=lane)
    answer = ok(node.submit([second], wait_ms=200), schemas.SubmitAnswer, 202)
    assert answer["results"][0]["status"] == "pending"
    submission_id = answer["results"][0]["id"]
    assert node.get(f"/v1/submissions/{submission_id}").json["status"] == "pending"
    problem(node.get(f"/v1/submissions/{submission_id}/proof"), 404, "not-committed")
    assert len(network.commit(node, first, second)) == 2


def test_the_wait_ends_with_the_commit_and_is_bounded(network: Network, node: NodeProcess) -> None:
    started = time.monotonic()
    assert node.submit([network.lead("等待")], wait_ms=999_999_999).status == 200
    until_commit = time.monotonic() - started
    lane = os.urandom(16)
    started = time.monotonic()
    assert node.submit([network.lead("永远等待", lane=lane, seq=5)], wait_ms=999_999_999).status == 202
    bounded = time.monotonic() - started
    assert 2.5 < bounded < 60, "http_wait_ms bounds it"
    assert until_commit < bounded


@pytest.mark.parametrize(
    "body", [b"", b"\x90", b"\xc0", b"\x91\xc0", b"\x91\x01", encode((((b"",),),)), b"\xdd\xff\xff\xff\xff", b"\x91"]
)
def test_bodies_that_are_no_list_of_items(node: NodeProcess, body: bytes) -> None:
    problem(post(node, body), 400, "bad-request-body")


def announced(node: NodeProcess, size: int) -> Answer:
    """The answer to a request that announces a body of so many bytes and sends none of them."""
    with closing(node.connection()) as connection:
        connection.putrequest("POST", "/v1/submissions")
        connection.putheader("Content-Type", MEDIA_TYPE)
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def test_bounds_of_a_request(node: NodeProcess) -> None:
    problem(post(node, encode((bytes(16),) * 511)), 413, "too-many-items")
    problem(announced(node, 1_000_001), 413, "body-too-large")  # said before any of it is sent
    problem(announced(node, 1_000_000), 408, "body-too-slow")
    problem(post(node, encode((b"x",)), media_type="application/json"), 415, "unsupported-media-type")
    for query in ("wait_ms=-1", "wait_ms=x", "wait_ms=1&wait_ms=2", "wait_ms=1.5", "wait_ms=", "other=1", "wait_ms=٣"):
        path = "/v1/submissions?" + query.encode("utf-8").decode("latin-1").replace("\xd9", "%D9").replace(
            "\xa3", "%A3"
        )
        problem(post(node, encode((b"x",)), path), 400, "bad-parameter")
    problem(node.get("/v1/blocks?" + "x" * 5000), 414, "bad-parameter")


def test_a_chunked_body_is_cut_at_the_bound(node: NodeProcess) -> None:
    with closing(node.connection()) as connection:
        connection.putrequest("POST", "/v1/submissions")
        connection.putheader("Content-Type", MEDIA_TYPE)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        try:
            for _ in range(300):
                connection.send(b"1000\r\n" + bytes(4096) + b"\r\n")
            connection.send(b"0\r\n\r\n")
        except OSError:
            return  # cut off before everything was sent: as good
        assert connection.getresponse().status == 413


def test_a_body_that_trickles_is_cut_off(node: NodeProcess) -> None:
    with socket.create_connection(("127.0.0.1", node.http_port), timeout=10) as connection:
        head = (
            f"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: 50\r\n\r\n\x91"
        )
        connection.sendall(head.encode("latin-1"))
        started = time.monotonic()
        assert b" 408 " in connection.recv(4096)
        assert time.monotonic() - started < 10


def test_a_head_that_is_too_long_is_refused(node: NodeProcess) -> None:
    with socket.create_connection(("127.0.0.1", node.http_port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
        try:
            for _ in range(200):
                connection.sendall(b"a" * 4096)
                time.sleep(0.001)
        except OSError:
            pass
        try:
            answer = connection.recv(4096)
        except ConnectionError:
            answer = b""
        assert not answer or answer.startswith(b"HTTP/1.1 431")
    assert node.get("/healthz", token=False).status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[::bad HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_broken_http_does_not_hurt(node: NodeProcess, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", node.http_port), timeout=5) as connection:
        connection.sendall(request_bytes)
        answer = connection.recv(4096)
        assert not answer.startswith(b"HTTP/1.1 5")
        if answer.startswith(b"HTTP/1.1 4"):
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b"content-type: application/problem+json\r\n" in head
            assert b"x-content-type-options: nosniff\r\n" in head
            schemas.ProblemBody.model_validate_json(body)
    assert node.get("/healthz", token=False).status == 200


def test_what_follows_a_request_and_is_no_http_is_not_its_answer(network: Network, node: NodeProcess) -> None:
    """Found by fuzzing: the 400 for the rest went out as the answer to a submission that was under way ("nothing was
    recorded"), and its own answer, written to a closed connection, stood in the log as a fault of the node."""
    item = network.lead("后随乱码", lane=os.urandom(16))
    body = encode((item.encode(),))
    head = f"POST /v1/submissions?wait_ms=3000 HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA_TYPE}\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    blocks = f"GET /v1/blocks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {node.token}\r\n\r\n".encode()
    for data in (head.encode() + body + b"\x00no HTTP\r\n\r\n", blocks * 3 + b"\x00\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", node.http_port), timeout=10) as connection:
            connection.sendall(data)
            with contextlib.suppress(ConnectionError):
                assert b"bad-http" not in connection.recv(1 << 16)
    until(lambda: network.commit(node, item), "it was taken all the same")
    broken = head.encode().replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nX") + b"zz\r\n\r\n"
    with socket.create_connection(("127.0.0.1", node.http_port), timeout=10) as connection:
        connection.sendall(broken)
        assert b"bad-http" in connection.recv(1 << 16), "its body never came: nothing of it was recorded"


def test_too_many_requests_are_told_to_come_back(network: Network, node: NodeProcess) -> None:
    waiting = [network.lead(f"占用 {number}", lane=os.urandom(16), seq=9) for number in range(8)]
    threads = [threading.Thread(target=lambda item=item: node.submit([item], wait_ms=8000)) for item in waiting]
    for thread in threads:
        thread.start()
    try:
        answer = until(
            lambda: (found := node.get("/v1/status", token=False)).status == 429 and found, "the gateway is full", 8
        )
        problem(answer, 429, "too-many-requests")
        assert int(answer.headers["retry-after"]) >= 1
        assert node.get("/healthz", token=False).status == 200, "supervisors are answered all the same"
    finally:
        for thread in threads:
            thread.join()


# Events


class Stream:
    """One connection to /v1/events."""

    def __init__(self, node: NodeProcess, query: str = "", last_event_id: str | None = None) -> None:
        self.connection = node.connection(timeout=10)
        headers = {"Authorization": f"Bearer {node.token}"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        self.connection.request("GET", f"/v1/events{query}", headers=headers)
        self.response = self.connection.getresponse()

    def take(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        fields: dict[str, str] = {}
        while len(found) < count:
            data = self.response.readline()
            assert data, "the stream goes on"
            line = data.decode("utf-8").rstrip("\n")
            if not line and fields:
                schemas.EventBody.model_validate(json.loads(fields["data"]))
                found.append((fields["id"], json.loads(fields["data"])))
                fields = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
        return found

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def test_events_resume_from_a_cursor_without_gap_or_repeat(network: Network, node: NodeProcess) -> None:
    ids = [network.commit(node, network.lead(f"事件 {number}"))[0]["id"] for number in range(4)]
    stream = Stream(node, "?cursor=0.0")
    assert stream.response.status == 200
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    seen = stream.take(1)
    while seen[-1][1]["id"] != ids[-1]:
        seen += stream.take(1)
    stream.close()
    assert [event["id"] for _, event in seen][-4:] == ids
    assert len({cursor for cursor, _ in seen}) == len(seen)
    resumed = Stream(node, last_event_id=seen[-3][0])
    assert resumed.take(2) == seen[-2:]
    resumed.close()


def test_a_stream_without_a_cursor_begins_now(network: Network, node: NodeProcess) -> None:
    stream = Stream(node)
    assert stream.response.readline() == b": ok\n"
    (result,) = network.commit(node, network.lead("现在"))
    ((_, event),) = stream.take(1)
    assert event["id"] == result["id"]
    stream.close()


def test_streams_are_bounded_and_their_places_come_free(node: NodeProcess) -> None:
    def opened() -> Stream | None:
        stream = Stream(node)
        if stream.response.status == 200:
            assert stream.response.readline() == b": ok\n"
            return stream
        stream.close()
        return None

    streams = [until(opened, "a place is free") for _ in range(2)]
    refused = Stream(node)
    assert refused.response.status == 429
    assert refused.response.headers["retry-after"] == "30"
    refused.close()
    for stream in streams:
        stream.close()
    # A vanished client is noticed with the next block or ping at the latest.
    until(opened, "the place comes free", 25).close()


@pytest.mark.parametrize("cursor", ["x", "1", "1.2.3", "-1.0", "1.-1", "9" * 30 + ".0", "1.0\x00"])
def test_bad_cursors(node: NodeProcess, cursor: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in cursor.encode())
    problem(node.get(f"/v1/events?cursor={quoted}"), 400, "bad-parameter")


# OpenAPI and fuzz


def test_openapi_names_every_route_and_its_errors(node: NodeProcess) -> None:
    document = node.get("/openapi.json", token=False).json
    expected = {
        "/healthz",
        "/readyz",
        "/v1/status",
        "/v1/genesis",
        "/v1/submissions",
        "/v1/submissions/{submission_id}",
        "/v1/submissions/{submission_id}/proof",
        "/v1/lanes/{org}/{key}/{lane}",
        "/v1/blocks",
        "/v1/blocks/{height}",
        "/v1/archive",
        "/v1/snapshot",
        "/v1/cases",
        "/v1/cases/{case_id}",
        "/v1/rules/{rules_hash}",
        "/v1/procedures/{procedure}",
        "/v1/series",
        "/v1/keys/{key}",
        "/v1/members",
        "/v1/proposals",
        "/v1/validators",
        "/v1/checkpoint",
        "/v1/consistency",
        "/v1/events",
    }
    assert set(document["paths"]) == expected
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert "422" not in operation["responses"], path
            assert "default" in operation["responses"], path
    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(document["components"]["schemas"])


ODD_TEXT = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["0", "-1", "1", "99999999999999999999", "0" * 64, "f" * 64, "%00", "..", "null", "NaN", "1e3", "𝟏"]
    ),
    st.binary(max_size=40).map(lambda data: data.hex()),
)


def quote(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def operations(node: NodeProcess) -> list[tuple[str, list[str], list[str]]]:
    """Every GET but the endless one: path, names of its path parameters, names of its query parameters."""
    found = []
    for path, methods in node.get("/openapi.json", token=False).json["paths"].items():
        if "get" in methods and path not in ("/v1/events", "/v1/archive", "/v1/snapshot"):
            parameters = methods["get"].get("parameters", [])
            in_path = [each["name"] for each in parameters if each["in"] == "path"]
            found.append((path, in_path, [each["name"] for each in parameters if each["in"] == "query"]))
    return found


@given(data=st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_parameter_makes_the_node_fail(
    node: NodeProcess, operations: list[tuple[str, list[str], list[str]]], data: st.DataObject
) -> None:
    path, in_path, in_query = data.draw(st.sampled_from(operations))
    for name in in_path:
        path = path.replace("{" + name + "}", quote(data.draw(ODD_TEXT)) or "%20")
    query = [f"{name}={quote(data.draw(ODD_TEXT))}" for name in in_query if data.draw(st.booleans())]
    query += [f"{quote(data.draw(ODD_TEXT))}={quote(data.draw(ODD_TEXT))}"] if data.draw(st.booleans()) else []
    answer = node.get(path + ("?" + "&".join(query) if query else ""))
    assert answer.status < 500, (path, query, answer.body)
    if answer.status >= 400:
        assert answer.headers["content-type"].startswith("application/problem+json")
        schemas.ProblemBody.model_validate(answer.json)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.binary(max_size=200), st.text(max_size=20)
    ),
    lambda inner: st.lists(inner, max_size=6).map(tuple),
    max_leaves=20,
)


@given(
    body=st.one_of(
        st.binary(max_size=300), VALUES.map(encode), st.lists(VALUES.map(encode), max_size=5).map(tuple).map(encode)
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_the_node_fail(node: NodeProcess, body: bytes) -> None:
    answer = post(node, body)
    assert answer.status < 500, (body, answer.body)


@given(
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 40),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_submission_makes_the_node_fail(
    network: Network, node: NodeProcess, flips: list[tuple[int, int]], cut: int
) -> None:
    item = bytearray(network.lead("变异", lane=b"mutated item 16b", seq=0).encode())
    for position, value in flips:
        item[position % len(item)] = value
    answer = post(node, encode((bytes(item[: len(item) - cut]),)))
    assert answer.status < 500, (bytes(item), answer.body)


def test_records_beside_the_body_cannot_be_exchanged(network: Network, node: NodeProcess) -> None:
    good = network.lead("替换", lane=os.urandom(16))
    other = network.lead("替换 2", lane=os.urandom(16))
    assert good.body.args == (1, records_root(SUITE, good.records))
    forged = encode((good.body_bytes, good.signatures, other.records))
    answer = ok(post(node, encode((forged,))), schemas.SubmitAnswer)
    assert answer["results"][0]["status"] == "invalid"


def test_the_node_said_nothing_while_it_was_attacked(node: NodeProcess) -> None:
    """No request of all these tests was our fault."""
    events = [line.split()[2] for line in node.log.splitlines() if line]
    assert set(events) <= {"started"}, node.log[-3000:]
    assert isinstance(node.connection(), http.client.HTTPConnection)
