"""``fazhi-node run``: prepare, then one loop until the end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from .cli_texts import cli_text
from .exits import Exit, Stop
from .logs import make_log
from .prepare import Prepared, prepare
from .texts import Language

GC_YOUNG_OBJECTS: Final = 20_000
"""New containers before the collector looks at them; they cost a few megabytes."""


def check(home: Path, genesis: Path | None, passphrase: Callable[[], bytes], language: Language | None) -> str:
    """What ``run`` would do, once everything that it needs has been found in order."""
    prepared = prepare(home, genesis, passphrase, language)
    config = prepared.config
    return cli_text(
        "check_done",
        config.lang,
        org=config.org,
        name=prepared.genesis.name,
        genesis=prepared.genesis_hash.hex(),
        members=len(prepared.genesis.members),
        p2p=config.p2p_listen,
        http=config.http_listen,
        tls="HTTP" if config.http_plain else "HTTPS",
        reads=cli_text("reads_open" if config.open_reads else "reads_token", config.lang),
        data=config.path(home, "data"),
        store=config.store,
    )


def run(home: Path, genesis: Path | None, passphrase: Callable[[], bytes], language: Language | None) -> int:
    """Run the node of ``home`` until a signal or a fault; the exit code."""
    prepared = prepare(home, genesis, passphrase, language)
    config = prepared.config
    log = make_log(config.log_format, config.log_level, config.lang, org=config.org)
    try:
        return int(_run(_serve(prepared, log)))
    except Stop as stop:
        # The log's last line says what to do.
        log.error(stop.code, **{name: value for name, value in stop.parameters if name != "event"})
        return int(stop.exit_code)


async def _serve(prepared: Prepared, log: Any) -> Exit:
    from .service import Service

    # What the imports made lives as long as the process: keep the collector from walking it again and again.
    gc.collect()
    gc.freeze()
    # Blocks and items hold no cycles: they go by their counts. A collection every 700 objects took 6 to 9 % of the CPU.
    gc.set_threshold(GC_YOUNG_OBJECTS, 20, 50)
    return await Service(prepared, log).run()


def _run(main: Coroutine[Any, Any, Exit]) -> Exit:
    """On uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
