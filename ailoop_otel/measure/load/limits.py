"""The limits of the load generator's own system, which are never the server's: descriptors, ports, and what to do."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from ailoop_otel.measure import Refusal

if sys.platform != "win32":
    import resource

# Descriptors of a load process besides its sessions: pipes, libraries, and sessions that close while others open.
_OTHERS: Final = 64
_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
MENDS: Final = {
    errno.EMFILE: "it has too many files open: raise its limit (`ulimit -n 65536`), or use more --processes",
    errno.ENFILE: "its machine has too many files open: raise the limit (`sysctl fs.file-max`)",
    errno.EADDRNOTAVAIL: "its machine has no port left: widen `sysctl net.ipv4.ip_local_port_range`, or use another",
    errno.ENOBUFS: "its machine has no memory left for sockets: open fewer sessions, or use another",
    errno.ENOMEM: "its machine has no memory left: open fewer sessions, or use another",
}
"""Errors of a connection that come from the machine that opens it, each with what to do."""


def check_limits(sessions: int, processes: int) -> None:
    """Raise Refusal, with the mend, where the system does not let so many sessions be opened."""
    needed = -(-sessions // processes) + _OTHERS
    allowed = _descriptors()
    if allowed and needed > allowed:
        raise Refusal(
            f"a process of the load generator may have {allowed:,} files open, and needs {needed:,} for {sessions:,} "
            f"sessions in {processes}: raise the limit (`ulimit -n {max(65536, needed)}`), use more --processes, or "
            "open fewer sessions"
        )
    ports = _ports()
    if ports and sessions > ports:
        raise Refusal(
            f"this machine has {ports:,} ports for connections to one address, and each of {sessions:,} sessions needs "
            "one: widen `sysctl net.ipv4.ip_local_port_range`, or open fewer sessions"
        )


def raise_descriptors() -> None:
    """Let this process open as many files as the system lets it ask for."""
    allowed = _descriptors()
    if allowed:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def _descriptors() -> int:
    """The most files that a process may have open; 0 where there is no such limit."""
    if sys.platform == "win32":
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 0 if hard == resource.RLIM_INFINITY else int(hard)


def _ports() -> int:
    """How many ports connections may come from; 0 where it is unknown."""
    try:
        low, high = map(int, _PORTS.read_text().split())
    except (OSError, ValueError):
        return 0
    return high - low + 1
