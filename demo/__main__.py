"""``python -m demo`` (``make demo``): see :mod:`demo`. Reads EVIDENCE, OUT and PROCEDURE from the environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from fazhi_cli import labels
from fazhi_cli.case_view import trail_lines
from fazhi_cli.devnet import write_pids
from fazhi_cli.language import language_of
from fazhi_cli.terminal import prepare_streams
from fazhi_contracts.builtin import load_builtin_rule_set
from fazhi_ledger.errors import FazhiError
from fazhi_sdk import Chain
from fazhi_sdk.cases import Trail
from fazhi_sdk.devnet import Devnet, node_command
from fazhi_sdk.sealing import media_type_of

from demo import checking, network
from demo.screen import DemoFailed, Screen, relative
from demo.settings import Settings
from demo.stopping import Interrupted, Stopper
from demo.story import Recorded, Story
from demo.walks import UTC_OFFSET_MIN, WALKS, Walk, years_of

STEPS_WITHOUT = 3
"""So many steps are recorded while the killed node is down."""


def main() -> int:
    """Run the demo; 0 only if all was as it should be."""
    prepare_streams()
    screen = Screen()
    stopper = Stopper()
    try:
        settings = Settings.of(os.environ)
        settings.prepare()
        (settings.out / "demo.pid").write_text(f"{os.getpid()}\n", "ascii")
        try:
            play(settings, screen, stopper)
        finally:
            (settings.out / "demo.pid").unlink(missing_ok=True)
    except (DemoFailed, FazhiError) as error:
        screen.bad(str(error))
        return 1
    except Interrupted as interrupted:
        screen.bad("已中断,节点均已停止 / interrupted; all nodes are stopped")
        return interrupted.exit_code
    finally:
        stopper.restore()
    return 0


def play(settings: Settings, screen: Screen, stopper: Stopper) -> None:
    """The demo, from the first key to the last hint."""
    out = settings.out
    screen.title(relative(out))
    screen.section("四个单位各自生成密钥,共同建链", "four organisations make keys and one genesis")
    rules, walk = load_builtin_rule_set(settings.procedure), WALKS[settings.procedure]
    net, office = network.make(out / "network", {settings.procedure: walk})
    names = [f"{node.name} {node.org}" for node in net.nodes.values()]
    screen.line("  " + " · ".join(names))
    screen.line(f"  创世哈希 genesis hash  {net.genesis_hash}")
    (out / "genesis-hash.txt").write_text(net.genesis_hash + "\n", "ascii")
    evidence = _copied(settings, out / "files")
    try:
        network.start(net, stopper)
        tokens = net.tokens
        with Chain.connect(net.urls, net.genesis_hash, out / "outbox.db", token=tokens) as chain:
            story = Story(chain, rules, walk, office, out, evidence)
            years = years_of(story.times_ms)
            network.vote_calendars(net, years)
            screen.good(f"成员表决工作日历 members voted the working days of {', '.join(map(str, years))}")
            records = _record(story, walk, net, chain, screen, stopper)
            trail = _show_trail(story, walk, screen).save(out / "case.trail.json")
        archive = out / "chain.fazhi"
        network.run([node_command(), "export", "--home", net.nodes[network.WITNESS].home, "-o", str(archive)])
        screen.section("停止全部节点,离线核验", "all nodes stop; verified offline")
        network.stop(net)
    finally:
        stopper.ignore()
        net.down()
        write_pids(net)
    stopper.watch()
    _check(records, archive, net.genesis_hash, screen)
    _tamper(records, evidence, out, net.genesis_hash, screen)
    screen.section("结论:全部条款,离线逐条", "the verdict, clause by clause, offline")
    for line in checking.verdict(trail, any(visit.finds for visit in walk.visits), net.genesis_hash):
        screen.line(f"  {line}".rstrip())
    _hint(records, archive, trail, out, net.genesis_hash, screen)


def _copied(settings: Settings, folder: Path) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(Path(shutil.copy2(path, folder / path.name)) for path in settings.evidence)


def _record(story: Story, walk: Walk, net: Devnet, chain: Chain, screen: Screen, stopper: Stopper) -> list[Recorded]:
    """Record every step; after the evidence the next proposer is killed, some steps later it is back."""
    screen.section(f"一个案件 {walk.number}", "one case, step by step")
    records: list[Recorded] = []
    victim, back_at = "", -1
    for recorded in story.walk():
        records.append(recorded)
        _show(recorded, len(records), screen)
        if recorded.visit.evidence:
            victim = network.next_proposer(chain.genesis, recorded.receipt.height)
            back_at = len(records) + STEPS_WITHOUT
            network.kill(net, victim)
            screen.alarm(f"kill -9 {_name(net, victim)}: 轮到它出块 / it was to propose the next block")
        if len(records) == back_at:
            network.start(net, stopper, [victim])
            height = network.wait_for_height(net, victim, recorded.receipt.height)
            screen.good(f"{_name(net, victim)} 重新启动,已追上高度 {height} / is back and has caught up")
    return records


def _name(net: Devnet, org: str) -> str:
    return f"{net.nodes[org].name} {org}"


def _show(recorded: Recorded, number: int, screen: Screen) -> None:
    facts = recorded.receipt.facts
    signers = labels.joined((f"{labels.roles(one.roles, 'zh')} {labels.key(one.key)}" for one in facts.signers), "zh")
    files = f" · {len(recorded.files)} 个文件 files" if recorded.files else ""
    step = f"{recorded.step.zh} {recorded.step.en}"
    day = labels.moment(facts.record.occurred_at_ms, UTC_OFFSET_MIN)[:10]
    screen.good(
        f"{number:2d} {day} {step} · 高度 height {facts.block_height} · {signers}{files} · {recorded.seconds:.2f} s"
    )


def _show_trail(story: Story, walk: Walk, screen: Screen) -> Trail:
    screen.section("轨迹:全部记录,附无一遗漏的证明", "the trail, proven to be whole")
    if story.case is None:
        raise DemoFailed("没有案件", "there is no case")
    trail = story.case.trail()
    rules = trail.facts.rules
    for line in trail_lines(trail, language_of((), os.environ)):
        screen.line("  " + line)
    for tally in rules.tallies:
        total = dict(trail.facts.head.marks.sums).get(tally.code, 0)
        screen.line(f"    {tally.zh} {tally.en}  {total}")
    if [event.record.step for event in trail.events] != [step.code for step in story.steps]:
        raise DemoFailed("轨迹与所办步骤不符", "the trail is not what was recorded")
    found = [tuple(finding.code for finding in event.findings) for event in trail.events]
    if found != [visit.finds for visit in walk.visits]:
        raise DemoFailed("发现与所料不符", "the findings are not those of the walk")
    return trail


def _check(records: list[Recorded], archive: Path, genesis_hash: str, screen: Screen) -> None:
    answers = checking.verify_all([(one.saved, one.files) for one in records], genesis_hash)
    screen.good(f"fazhi verify × {len(answers)}  上链后一致 VALID")
    screen.good(f"fazhi audit  {checking.audit(archive, genesis_hash, len(records)).first_line}")


def _tamper(records: list[Recorded], evidence: tuple[Path, ...], out: Path, genesis_hash: str, screen: Screen) -> None:
    screen.section("各改一个字节", "one byte is changed")
    shown = _with_evidence(records)
    folder = out / "tampered"
    folder.mkdir()
    original = _picture(evidence)
    photo = folder / original.name
    place = checking.flip_byte(original, photo)
    verdict = checking.must_be_found_out(checking.verify(shown.saved, [photo], genesis_hash))
    screen.good(f"文件第 {place} 字节 / byte {place} of the file\n    {verdict}")
    receipt = folder / shown.saved.name
    place = checking.flip_character(shown.saved, receipt)
    verdict = checking.must_be_found_out(checking.verify(receipt, shown.files, genesis_hash))
    screen.good(f"收据第 {place} 字符 / character {place} of the receipt\n    {verdict}")


def _picture(files: Sequence[Path]) -> Path:
    """The first picture, else the first file."""
    return next((path for path in files if media_type_of(path).startswith("image/")), files[0])


def _with_evidence(records: list[Recorded]) -> Recorded:
    return max(records, key=lambda one: len(one.files))


def _hint(records: list[Recorded], archive: Path, trail: Path, out: Path, genesis_hash: str, screen: Screen) -> None:
    command = ".venv/bin/fazhi" if Path(".venv/bin/fazhi").exists() else "fazhi"
    shown = _with_evidence(records)
    picture = _picture(shown.files)
    receipt, photo = relative(shown.saved), relative(picture)
    changed = relative(out / "tampered" / picture.name)
    screen.section("接着试试", "try next")
    screen.line(f"  {command} verify {receipt} --file {photo} --genesis-hash {genesis_hash}")
    screen.line(f"  {command} verify {receipt} --file {changed} --genesis-hash {genesis_hash}")
    screen.line(f"  {command} audit --archive {relative(archive)} --genesis-hash {genesis_hash}")
    screen.line(f"  {command} case verdict {relative(trail)} --all --genesis-hash {genesis_hash}")


if __name__ == "__main__":
    sys.exit(main())
