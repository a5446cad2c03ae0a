# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a node among those that share a PostgreSQL: who lives, and who may act.

No two clocks are compared, neither those of nodes nor that of the database, which may be set at any time. A node counts its
renewals in its row. It counts on its lease for a part of `lease_seconds` since before it asked for the last renewal. The others
take it for gone when they have seen its row unchanged for the whole of `lease_seconds`, and take over only what is still so in
the transaction in which they do it. Each node counts with CLOCK_BOOTTIME, which nobody sets and which goes on in a suspended
machine.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from ...errors import OncallError, first_line
from ...folders import runtime_folder
from .engine import lease_engine, shown
from .tables import NODES

LOG = logging.getLogger("oncall.lease")
# Of the lease, the node itself counts on this part; and it renews so many times in it.
OWN_PART = 0.75
RENEWALS = 6
# A node that left nothing is taken over by nobody. Where each start has a name of its own, such rows would only become more.
FORGET_SECONDS = 24 * 3600.0
SEEN = NODES.c.node, NODES.c.number, NODES.c.renewals, NODES.c.seconds


class Fenced(OncallError):
    """This node has no lease: it may neither begin nor take over anything."""


@dataclass(frozen=True)
class Peer:
    """A node as its row was seen; ``number`` and ``renewals`` are 0 where there is no row.

    Attributes:
        seconds: of its lease, by its own settings; 0 where there is no row.
    """

    node: str
    number: int = 0
    renewals: int = 0
    seconds: float = 0.0


def boot_seconds() -> float:
    """Seconds since this machine was booted, those in which it slept among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Holds the lease of this node, and renews it in a thread of its own as long as the node goes on with its work.

    Args:
        url: of the PostgreSQL.
        node: what this node is called.
        seconds: after which the others take what it left.
        goes_on: whether this node still does its work. A node that hangs is to lose its lease.

    Raises:
        OncallError: another process has the lease, or the database cannot be used.
    """

    def __init__(self, url: str, node: str, seconds: float, goes_on: Callable[[], bool]) -> None:
        self._engine, self._url, self._node, self._seconds, self._goes_on = (
            lease_engine(url),
            url,
            node,
            seconds,
            goes_on,
        )
        self._every_seconds = seconds * OWN_PART / RENEWALS
        # Asked for and left between threads: a node has one lease.
        self._lock = threading.Lock()
        self._number, self._until = 0, 0.0
        self._peers: dict[str, tuple[Peer, float]] = {}
        self._looked_at = 0.0
        self._failure = ""
        self._over = threading.Event()
        # What plays look at before they claim. A later lease has another file: a play of an earlier one never acts again.
        digest = hashlib.sha256(f"{node} {url}".encode()).hexdigest()[:16]
        self._files = runtime_folder().with_name("leases"), digest
        try:
            self._wait_for_it()
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise OncallError(f"cannot use the database {shown(url)}: {first_line(error)}") from None
        except BaseException:
            self._engine.dispose()
            raise
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------ what the node asks
    @property
    def number(self) -> int:
        """Of the lease that holds now; Fenced where none does."""
        self.check()
        return self._number

    @property
    def file(self) -> str:
        """Until when the lease holds, for plays; Fenced where none does."""
        return str(self._file(self.number))

    def check(self) -> None:
        """Fenced where this node may do nothing now."""
        with self._lock:
            if self._number and boot_seconds() < self._until:
                return
            why = self._failure or "it was not renewed in time"
        raise Fenced(f"node {self._node} has no lease and begins nothing: {why}")

    def gone(self, nodes: Callable[[], Iterable[str]]) -> list[Peer]:
        """Those of the nodes that have not renewed their lease for its whole time."""
        names = {*nodes()} - {self._node}
        with self._lock:
            if self._is_blind(boot_seconds()):
                return []
            for name in names:
                self._see(Peer(name), only_new=True)
            others = [self._peers[name] for name in names]
            return [peer for peer, since in others if self._looked_at - since >= (peer.seconds or self._seconds)]

    def _is_blind(self, now: float) -> bool:
        """Whether nothing was seen for a while, such as while the database was away: the others could not renew either."""
        return now - self._looked_at > self._seconds / 2

    def close(self) -> None:
        """Give the lease back."""
        self._over.set()
        self._thread.join(timeout=self._seconds)
        with self._lock:
            number, self._number = self._number, 0
        with suppress(OSError):
            self._file(number).unlink()
        with suppress(SQLAlchemyError), self._engine.begin() as connection:
            connection.execute(NODES.delete().where(NODES.c.node == self._node, NODES.c.number == number))
        self._engine.dispose()

    # ------------------------------------------------------------------ the thread
    def _keep(self) -> None:
        hangs = False
        while not self._over.wait(self._every_seconds):
            if hangs != (not self._goes_on()):
                hangs = not hangs
                LOG.log(logging.ERROR if hangs else logging.WARNING, "node %s %s", self._node,
                        "hangs and does not renew its lease" if hangs else "goes on, and renews its lease")  # fmt: skip
            if hangs:
                continue
            try:
                self.renew()
            # Whatever it is: a thread that ended would never renew again, and nobody would say so.
            except Exception as error:
                said = first_line(error)
                if said != self._failure:
                    LOG.error("the lease of node %s is not renewed: %s", self._node, said)
                with self._lock:
                    self._failure = said

    def renew(self) -> None:
        """Renew it, or ask for a new one where it is lost.

        Raises:
            OncallError: another process has it.
            SQLAlchemyError, OSError: it could not be done.
        """
        asked_at = boot_seconds()
        if self._number and asked_at < self._until:
            self._prepare(self._number, asked_at)
            with self._engine.begin() as connection:
                mine = NODES.c.node == self._node, NODES.c.number == self._number
                values = {"renewals": NODES.c.renewals + 1, "renewed_at": sa.func.now()}
                renewed = connection.execute(NODES.update().where(*mine).values(values)).rowcount == 1
                rows = connection.execute(sa.select(*SEEN)).all()
            self._saw(rows)
            if renewed:
                self._hold(self._number, asked_at)
                self._forget()
                return
            with self._lock:
                self._number, self._failure = 0, "another node took over what it left"
            LOG.error("node %s has lost its lease: another node took over what it left", self._node)
        self._ask(asked_at)

    def _forget(self) -> None:
        """Drop the rows of nodes that were not heard of for a day. One that comes back asks for a new lease, as after a takeover."""
        with self._lock:
            old = [
                peer
                for peer, since in self._peers.values()
                if peer.number and peer.node != self._node and self._looked_at - since > FORGET_SECONDS
            ]
        if old:
            with self._engine.begin() as connection:
                for peer in old:
                    same = (NODES.c.node == peer.node, NODES.c.number == peer.number, NODES.c.renewals == peer.renewals)
                    connection.execute(NODES.delete().where(*same))

    def _wait_for_it(self) -> None:
        """Ask until the lease of a process that was killed has run out."""
        asked_at = boot_seconds()
        is_said = False
        while not self._ask(boot_seconds()):
            waited = boot_seconds() - asked_at
            if waited > self._seconds + 10:
                raise self._held()
            # One that lives would have renewed it by now.
            if not is_said and waited > 3 * self._every_seconds:
                is_said = True
                LOG.warning("node %s was not ended properly; its lease runs out within %g s", self._node, self._seconds)
            time.sleep(min(1.0, self._every_seconds))

    def _held(self) -> OncallError:
        return OncallError(f"another oncall serve is node {self._node}; give this one another name (node)")

    def _ask(self, asked_at: float) -> bool:
        """Ask for a new lease; False where an earlier one may still hold. OncallError where another process renews it."""
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(*SEEN)).all()
            holder = connection.scalar(sa.select(NODES.c.holder).where(NODES.c.node == self._node))
        before = self._peers.get(self._node)
        self._saw(rows)
        peer, since = self._peers.get(self._node, (Peer(self._node), asked_at))
        ours = holder in (None, _this_process()) or _is_dead_here(holder or "")
        if not ours and before is not None and before[0] != peer and before[0].number:
            raise self._held()
        if not ours and self._looked_at - since < (peer.seconds or self._seconds):
            return False
        number = max(int(time.time() * 1000), peer.number + 1)
        self._prepare(number, asked_at)
        row = {
            "number": number,
            "renewals": 0,
            "seconds": self._seconds,
            "holder": _this_process(),
            "renewed_at": sa.func.now(),
        }
        asks = insert(NODES).values(node=self._node, **row)
        same = NODES.c.number == peer.number, NODES.c.renewals == peer.renewals
        asks = asks.on_conflict_do_update(index_elements=["node"], set_=row, where=sa.and_(*same))
        with self._engine.begin() as connection:
            done = connection.execute(asks.returning(NODES.c.number)).first() is not None
        if not done:
            raise self._held()
        self._hold(number, asked_at)
        return True

    def _prepare(self, number: int, asked_at: float) -> None:
        """Write down what plays look at, before the database is asked: a node whose plays may claim nothing is to lose its lease."""
        file = self._file(number)
        with self._writing():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _beside(file).write_text(f"{self._until_of(asked_at):.3f}\n")

    def _hold(self, number: int, asked_at: float) -> None:
        folder, digest = self._files
        file = self._file(number)
        with self._writing():
            _beside(file).replace(file)
            for other in folder.glob(f"{digest}-*"):
                if other != file:
                    other.unlink(missing_ok=True)
        with self._lock:
            if self._number != number:
                LOG.info("node %s has lease %d", self._node, number)
            self._number, self._until, self._failure = number, self._until_of(asked_at), ""

    def _until_of(self, asked_at: float) -> float:
        return asked_at + self._seconds * OWN_PART

    @contextmanager
    def _writing(self) -> Iterator[None]:
        folder, _digest = self._files
        try:
            yield
        except OSError as error:
            raise OncallError(
                f"cannot write the lease of node {self._node} into {folder}: {error.strerror}; make room there, or set XDG_RUNTIME_DIR"
                " to a folder of yours"
            ) from None

    def _file(self, number: int) -> Path:
        folder, digest = self._files
        return folder / f"{digest}-{number}"

    def _saw(self, rows: Iterable[Any]) -> None:
        """What is in the table now."""
        with self._lock:
            now = boot_seconds()
            if self._is_blind(now):
                # Each of them has the whole of its time from here on.
                self._peers.clear()
            self._looked_at = now
            found = {row.node: Peer(*row) for row in rows}
            # Nodes of which open runs are all that is left have no row.
            for node in {*self._peers} - {*found}:
                found[node] = Peer(node)
            for peer in found.values():
                self._see(peer)

    def _see(self, peer: Peer, only_new: bool = False) -> None:
        known = self._peers.get(peer.node)
        if known is None or (known[0] != peer and not only_new):
            self._peers[peer.node] = peer, self._looked_at


def _beside(file: Path) -> Path:
    return file.with_suffix(".new")


def _this_process() -> str:
    return _named(os.getpid()) or ""


def _named(pid: int) -> str | None:
    """Names a process among all of all machines; None where there is none."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{_machine()} {pid} {started}"
    except (OSError, IndexError):
        return None


def _machine() -> str:
    """Where its numbers of processes are those that we see: since this boot, in this container."""
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').stat().st_ino}"


def _is_dead_here(holder: str) -> bool:
    """Whether it was a process that this one would see, and does not."""
    machine, pid, _started = holder.rsplit(" ", 2) if holder.count(" ") == 3 else ("", "", "")
    return machine == _machine() and _named(int(pid)) != holder
