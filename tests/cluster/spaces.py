"""Network namespaces, each with one TUN device into the switch (:mod:`.switch`), and nothing else that leads out.

They have no names and no files: each lives as long as somebody holds it open or runs in it, so that nothing is left
behind whatever happens. The calling process itself goes into one, so that its own connections go through the switch.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tests.conftest import ROOT

T = TypeVar("T")
CLONE_NEWNET: Final = 0x40000000
TUNSETIFF: Final = 0x400454CA
IFF_TUN: Final = 0x0001
IFF_NO_PI: Final = 0x1000
DEVICE: Final = "fazhi0"
NETWORK: Final = "10.77.0"
MTU: Final = 1500

_libc = ctypes.CDLL(None, use_errno=True)

Rules = Mapping[tuple[int, int], tuple[float, float, float]]
"""By direction of a link: loss from 0 to 1, delay and jitter in milliseconds."""


def missing() -> str | None:
    """What this machine lacks to make namespaces with devices; None where it lacks nothing."""
    if not sys.platform.startswith("linux"):
        return "no Linux"
    if shutil.which("ip") is None:
        return "no command ip (package iproute2)"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    try:
        space = Space.make(1)
    except (OSError, subprocess.SubprocessError) as error:
        return f"no network namespaces: {error}"
    space.close()
    return None


def address(number: int) -> str:
    """The address of a namespace's device."""
    return f"{NETWORK}.{number}"


def _elsewhere(work: Callable[[], T]) -> T:
    """Call a function on a thread of its own: which namespace a thread is in is its own affair."""
    found: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it belongs
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return found[0]


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace: the descriptor that holds it, and its device's."""

    number: int
    descriptor: int
    device: int

    @classmethod
    def make(cls, number: int) -> Space:
        """A new namespace with its device up.

        Raises:
            OSError: not permitted, or the kernel has no such thing.
            subprocess.SubprocessError: ``ip`` failed.
        """

        def work() -> Space:
            _checked(_libc.unshare(CLONE_NEWNET), "unshare")
            descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            space = cls(number, descriptor, device)
            try:
                fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
                for words in (
                    ("link", "set", "lo", "up"),
                    ("addr", "add", f"{address(number)}/24", "dev", DEVICE),
                    ("link", "set", DEVICE, "mtu", str(MTU), "up"),
                ):
                    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)
            except BaseException:
                space.close()
                raise
            return space

        return _elsewhere(work)

    def call(self, work: Callable[[], T]) -> T:
        """Call a function within; processes that it starts run there."""

        def within() -> T:
            _checked(_libc.setns(self.descriptor, CLONE_NEWNET), "setns")
            return work()

        return _elsewhere(within)

    def enter(self) -> None:
        """Move the calling thread, and all that it starts from now on, into the namespace."""
        _checked(_libc.setns(self.descriptor, CLONE_NEWNET), "setns")

    def close(self) -> None:
        """Let go; it is gone once nothing runs there."""
        os.close(self.descriptor)
        os.close(self.device)


class Wires:
    """Namespaces numbered from 1 and the switch between them. The calling thread is in the last of them until
    :meth:`close`."""

    def __init__(self, count: int, seed: int) -> None:
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.spaces: dict[int, Space] = {}
        self.counts: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        try:
            for number in range(1, count + 1):
                self.spaces[number] = Space.make(number)
            devices = [space.device for space in self.spaces.values()]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.switch", str(seed), *map(str, devices)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, pass_fds=devices,
                start_new_session=True,  # a signal to end is for us: we end it last
            )  # fmt: skip
            self.set_rules({})
            self.spaces[count].enter()
        except BaseException:
            self.close()
            raise

    def set_rules(self, rules: Rules) -> None:
        """Put other rules in force; those before are forgotten.

        Raises:
            OSError: the switch is gone.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise OSError("there is no switch")
        line = json.dumps({f"{a}>{b}": rule for (a, b), rule in rules.items()})
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            raise OSError("the switch has ended")
        self.counts = json.loads(answer)

    def close(self) -> dict[str, int]:
        """End the switch, go back, let go of the namespaces; the last counts."""
        if self._process is not None:
            with suppress(OSError):
                self.set_rules({})
            self._process.kill()
            self._process.communicate()
        _checked(_libc.setns(self._home, CLONE_NEWNET), "setns")
        os.close(self._home)
        for space in self.spaces.values():
            space.close()
        self.spaces = {}
        return self.counts
