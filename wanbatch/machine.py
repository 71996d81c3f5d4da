"""This machine, as far as it can be distinguished from another: for folders that are copied, or shared, between two.

Two runs of copies of one folder can buy the same takes, and no log of the provider can tell in time; so a run that
begins on a machine other than the last one asks first. A machine is known by its own id, hashed with a salt of ours, so
that what is kept names no machine; where it has none, by its host name. A container has neither that lasts (its host
name, and often its id, change with each start), so containers are not compared, and a nightly run in fresh containers
is not stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ID_FILES = ("etc/machine-id", "var/lib/dbus/machine-id")
CONTAINER_FILES = (".dockerenv", "run/.containerenv")
CONTAINER_NAMES = ("container", "KUBERNETES_SERVICE_HOST")  # set by podman and systemd-nspawn, and by Kubernetes
IOREG_LIMIT_S = 5.0


@dataclass(frozen=True)
class Machine:
    """A machine: a mark that only shows whether it is the same, and its host name for a person to read."""

    mark: str
    host: str

    def text(self) -> str:
        """Write it as it is kept."""
        return json.dumps({"mark": self.mark, "host": self.host}, ensure_ascii=False)


def read_machine(text: str | None) -> Machine | None:
    """Read what was kept; None if nothing was, or nothing that can be read."""
    try:
        told = json.loads(text or "")
        mark, host = told["mark"], told["host"]
    except (ValueError, KeyError, TypeError):
        return None
    shown = "".join(filter(str.isprintable, host))[:100] if isinstance(host, str) else ""
    return Machine(mark, shown) if isinstance(mark, str) and mark else None


def this_machine(
    root: Path = Path("/"), environment: Mapping[str, str] = os.environ, host: str | None = None
) -> Machine | None:
    """Return the machine that this process runs on; None if nothing lasting is known of it."""
    host = platform.node() if host is None else host
    if any((root / name).exists() for name in CONTAINER_FILES) or any(
        environment.get(name) for name in CONTAINER_NAMES
    ):
        return None
    machine_id = _machine_id(root)
    if machine_id is not None:
        return Machine(_mark("id", machine_id), host)
    is_lasting = bool(host) and host != "localhost" and re.fullmatch(r"[0-9a-f]{12,}", host) is None
    return Machine(_mark("host", host.casefold().partition(".")[0]), host) if is_lasting else None


def _machine_id(root: Path) -> str | None:
    for name in ID_FILES:
        try:
            text = (root / name).read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        if re.fullmatch(r"[0-9a-f]{32}", text) and text.strip("0"):
            return text
    return _hardware_id() if sys.platform == "darwin" and root == Path("/") else None


def _hardware_id() -> str | None:
    """Ask macOS for the machine's own id: its host name changes with the network."""
    command = ["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=IOREG_LIMIT_S)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'"IOPlatformUUID"\s*=\s*"([0-9A-Fa-f-]{36})"', told.stdout)
    return None if found is None else found[1]


def _mark(kind: str, text: str) -> str:
    return hashlib.sha256(f"wanbatch machine {kind}\n{text}".encode()).hexdigest()[:16]
