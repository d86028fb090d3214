"""One process's link to Redis.

A thread of its own connects, listens for changes and opens further connections; requests only ever use a connection
that is open, and never wait for longer than their budget. Redis is *trusted* while that thread hears it: it has
compared the numbers of the last changes in SQL and in Redis, repaired what Redis had missed, emptied the process's
memory, and gets an answer to each PING. While Redis is not trusted nobody asks it.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections import deque
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

import redis

from ...model import Tenant, Token
from ..codec import decode, decode_token, encode, encode_token
from ..known import Known
from ..memory import Memory
from ..store import EVERYTHING, Changes, Store
from . import budget
from .connections import CONNECT_SECONDS, Line, connector
from .ears import Ears
from .scripts import BEGIN, CHANGE, FILL, LOOK, META

log = logging.getLogger("flask_tenant")

TICK = 0.1
PING_SECONDS = 0.5
FRESH_SECONDS = 1.5
"""How long memory is believed after the last sign of life from Redis."""

POLL_SECONDS = 5.0
"""How often SQL is asked for changes that nobody could tell Redis of."""

PAUSE_LIMIT = 2.0
MARK_MS = 10_000
LINES = 32
"""Connections for look-ups, at most."""


class LostError(Exception):
    """Redis cannot be trusted any more."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What was agreed on with Redis.

    :param epoch: in which all that it keeps was written
    :param run: which run of which server
    """

    epoch: str
    run: str


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis says.

    :param as_of: number of the change up to which it knows all
    """

    as_of: int
    tenant: Tenant | None = None
    token: tuple[Token, int] | None = None


class Link:
    """One process's link to Redis.

    :param url: see :func:`~.connections.connector`
    :param seconds: how long Redis keeps what it is given
    :raises ConfigurationError: for a URL that makes no sense
    """

    def __init__(self, url: str, store: Store, memory: Memory, known: Known, seconds: float) -> None:
        self._connect = connector(url)
        self._errors = (redis.RedisError, OSError)
        self._store, self._memory, self._known = store, memory, known
        self._ttl = int(seconds * 1000)
        self._poll = min(POLL_SECONDS, seconds)
        self._space = ""
        self.renew()

    def renew(self) -> None:
        """Begin again, in a new process: threads and connections have stayed behind."""
        self._lock = Lock()
        self._stop = Event()
        self._tried = Event()
        self._thread: Thread | None = None
        self._trust: Trust | None = None
        self._lines: deque[Line] = deque()
        self._open = 0
        self._opening = False

    @property
    def trusted(self) -> bool:
        """Whether Redis is asked."""
        return self._trust is not None

    def ensure(self) -> None:
        """Start the thread, if it does not run."""
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = Thread(target=self._run, name="flask_tenant-redis", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread, which closes the connections."""
        self._stop.set()

    # ---- for requests
    def look(self, kind: str, key: str | int) -> Found | None:
        """Ask Redis, ``None`` when it has no answer that could be trusted."""
        trust = self._trust
        if trust is None:
            return None
        answer = self._ask(trust, LOOK, trust.epoch, kind, key)
        if answer is None:
            return None
        if answer[0] < 0:
            self._lose(trust, "it has been emptied")
            return None
        if len(answer) == 1:
            return Found(answer[0])
        try:
            tenant = decode(answer[1])
            token = decode_token(answer[2]) if kind == "token" else None
        except ValueError as error:
            log.warning("Redis holds what flask_tenant did not write under %s %r: %s", kind, key, error)
            return Found(answer[0])
        # Nobody's answer is taken for somebody else's, whatever stands in Redis.
        right = {
            "id": tenant.id == key,
            "slug": tenant.slug == key,
            "domain": key in tenant.domains,
            "token": token is None or (token[0].tenant_id, token[1]) == (tenant.id, tenant.version),
        }
        return Found(answer[0], tenant, token) if right.get(kind, True) else Found(answer[0])

    def epoch(self) -> str:
        """Return what :meth:`fill` has to be given; read it before SQL is asked."""
        trust = self._trust
        return trust.epoch if trust is not None else ""

    def fill(
        self, epoch: str, tenant: Tenant, as_of: int, kind: str, key: str | int, token: Token | None = None
    ) -> None:
        """Give Redis what SQL has said, which it takes unless it knows of a newer change."""
        trust = self._trust
        if trust is None or trust.epoch != epoch:
            return
        hints = [f"slug:{tenant.slug}", _hint(tenant)]
        if kind in ("domain", "former"):
            hints += [f"{kind}:{key}", _hint(tenant)]
        if token is not None:
            hints += [f"token:{key}", encode_token(token, tenant.version)]
        self._ask(trust, FILL, epoch, as_of, self._ttl, tenant.id, tenant.version, encode(tenant), *hints)

    def announce(self, number: int, tenants: set[int] | None, made: Tenant | None) -> None:
        """Tell Redis, and through it every process, of a change that is committed.

        :param made: what the change made of the one tenant that it concerns
        """
        self.ensure()
        if self._trust is None:
            self._tried.wait(budget.left())  # a command line has just begun to connect
        trust = self._trust
        told = None
        if trust is not None:
            known = []
            if made is not None:
                known = [encode(made), f"slug:{made.slug}", _hint(made)]
                for host in made.domains:
                    known += [f"domain:{host}", _hint(made)]
            told = self._ask(trust, CHANGE, *self._change(number, tenants), *known)
        if told is None:
            log.warning(
                "Redis could not be told of change %s: other servers see it within %g s", number, POLL_SECONDS
            )

    def _change(self, number: int, tenants: set[int] | None) -> list[Any]:
        ids = ",".join(map(str, sorted(tenants))) if tenants is not None else str(EVERYTHING)
        return [number, ids, self._ttl, MARK_MS, secrets.token_hex(8)]

    def _ask(self, trust: Trust, script: str, *arguments: Any) -> Any:
        within = budget.left()
        line = self._take(trust) if within > 0 else None
        if line is None:
            return None
        start = time.monotonic()
        try:
            answer = line.script(script, self._space + META, self._space, *arguments, within=within)
        except redis.TimeoutError as error:
            self._drop(line)
            self._lose(trust, str(error))
        except redis.ResponseError as error:
            self._drop(line)
            self._lose(trust, str(error))
        except self._errors:
            self._drop(line)  # closed by the server; if Redis is gone, the thread hears it
        else:
            self._give(trust, line)
            return answer
        finally:
            budget.spend(time.monotonic() - start)
        return None

    # ---- connections
    def _take(self, trust: Trust) -> Line | None:
        try:
            return self._lines.pop()
        except IndexError:
            with self._lock:
                if self._opening or self._open >= LINES:
                    return None
                self._opening = True
            Thread(target=self._open_more, args=(trust,), name="flask_tenant-redis-open", daemon=True).start()
            return None

    def _give(self, trust: Trust, line: Line) -> None:
        if self._trust is trust:
            self._lines.append(line)
        else:
            self._drop(line)

    def _drop(self, line: Line) -> None:
        with self._lock:
            self._open -= 1
        line.close()

    def _open_more(self, trust: Trust) -> None:
        try:
            self._give(trust, self._opened(trust.run))
        except (*self._errors, LostError) as error:
            self._lose(trust, str(error))
        finally:
            self._opening = False

    def _opened(self, run: str) -> Line:
        line = self._connect(2)
        try:
            if line.run_id() != run:
                raise LostError("another server has taken its place")
            for script in (LOOK, FILL, CHANGE):
                line.call("SCRIPT", "LOAD", script, within=CONNECT_SECONDS)
        except BaseException:
            line.close()
            raise
        with self._lock:
            self._open += 1
        return line

    def _lose(self, trust: Trust | None, why: str) -> None:
        with self._lock:
            if trust is None or self._trust is not trust:
                return
            self._trust = None
            self._memory.fresh_until = 0.0
        log.warning("Redis is not used until it can be trusted again: %s", why)
        while True:
            try:
                self._drop(self._lines.pop())
            except IndexError:
                return

    # ---- the thread
    def _run(self) -> None:
        pause = complained = 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._serve()
            except Exception as error:  # whatever it is, requests go on without Redis
                if time.monotonic() - complained > 60 and not isinstance(error, LostError):
                    complained = time.monotonic()
                    log.warning("Redis cannot be used, tenants are looked up in SQL: %s", error)
                self._lose(self._trust, str(error))
            finally:
                self._tried.set()
            pause = 0.02 if time.monotonic() - began > 2 * PAUSE_LIMIT else min(PAUSE_LIMIT, 2 * pause + 0.02)
            self._stop.wait(pause)
        self._lose(self._trust, "it is not needed any more")

    def _serve(self) -> None:
        """Connect, agree, and listen until something goes wrong."""
        self._space = self._space or f"ft:{self._store.identity()}:"
        ears = Ears(self._connect, self._space)
        try:
            with contextlib.closing(self._connect(2)) as line:
                trust = self._agree(line, line.run_id())
                top, number = self._memory.top, self._store.number()
                self._follow(Changes(number, None), top)
                for _ in range(2):
                    self._lines.append(self._opened(trust.run))
                heard = time.monotonic()
                with self._lock:
                    self._trust = trust
                    self._memory.fresh_until = heard + FRESH_SECONDS
                self._tried.set()
                log.info("Redis is used from change %s on", number)
                self._listen(ears, line, trust)
        finally:
            ears.close()

    def _listen(self, ears: Ears, line: Line, trust: Trust) -> None:
        asked = polled = time.monotonic()
        ears.ping()
        while not self._stop.is_set():
            if self._trust is not trust:
                raise LostError("a request has lost it")
            for number, tenants in ears.listen(TICK):
                self._hear(number, tenants)
            now = time.monotonic()
            if ears.heard >= asked:
                self._memory.fresh_until = asked + FRESH_SECONDS
                if now - asked > PING_SECONDS:
                    asked = now
                    ears.ping()
            elif now - asked > PING_SECONDS:
                raise LostError("it does not answer")
            if now - polled > self._poll:
                polled = now
                self._check(line, trust)

    def _hear(self, number: int, tenants: set[int] | None) -> None:
        if number < 0:
            raise LostError("it has been emptied")
        self._memory.change(number, tenants)
        if tenants is None:
            self._known.forget()

    def _follow(self, changes: Changes, before: int) -> None:
        if self._memory.follow(changes.number, changes.tenants, before):
            self._known.forget()

    def _agree(self, line: Line, run: str) -> Trust:
        """Make sure that Redis has heard of all changes that are in SQL."""
        number = self._store.number()
        epoch, seen = self._begin(line, run, number)
        changes = self._store.changes(seen)
        if changes.number < seen or changes.each is None:
            # A backup was restored, or more was missed than the journal tells.
            epoch, seen = self._begin(line, run, changes.number, end=epoch)
            return Trust(epoch, run)
        missed: dict[int, set[int]] = {}
        for each, tenant_id in changes.each:
            missed.setdefault(each, set()).add(tenant_id)
        for each, tenants in missed.items():
            arguments = self._change(each, tenants)
            line.script(CHANGE, self._space + META, self._space, *arguments, within=CONNECT_SECONDS)
        return Trust(epoch, run)

    def _begin(self, line: Line, run: str, number: int, end: str = "") -> tuple[str, int]:
        arguments = (run, secrets.token_hex(8), number, end)
        epoch, seen = line.script(BEGIN, self._space + META, *arguments, within=CONNECT_SECONDS)
        return epoch.decode(), seen

    def _check(self, line: Line, trust: Trust) -> None:
        """Follow the journal: some change may have come without a word."""
        top = self._memory.top
        try:
            changes = self._store.changes(self._memory.followed)
        except Exception as error:
            log.warning("The directory's journal cannot be read: %s", error)
            return
        self._follow(changes, top)
        if self._agree(line, trust.run).epoch != trust.epoch:
            raise LostError("it was emptied")


def _hint(tenant: Tenant) -> str:
    return f"{tenant.id}:{tenant.version}"
