"""The order of an examination: each tenant calls every route with its own rows, then with the other's, and then with
what the other was given: links, tokens, sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from .canary import OWNERS, Owner, other
from .fill import Rows
from .findings import RouteResult
from .plan import Plan, RoutePlan
from .routes import Arguments, Unknown, rules_of, skipped
from .visit import Answer, Visitor

Progress = Callable[[int, int, str], None]

NOBODY = 91
"""What is added to an id that both tenants have to get one that neither has."""

_ASKED = ("q", "query", "search", "s", "name", "filter", "email", "slug", "key")
_ASKED_IDS = ("id", "ids", "customer", "user", "user_id", "customer_id")


@dataclass(slots=True)
class Target:
    """A route that is called with one method."""

    rule: Rule
    method: str
    result: RouteResult
    plan: RoutePlan
    unknown: str = ""
    etags: dict[Owner, dict[int, tuple[str, str, str]]] = field(default_factory=lambda: {"A": {}, "B": {}})


class Rounds:
    """Walks all rounds.

    :param progress: is told how many calls are done, how many there will be, and what is going on
    """

    def __init__(
        self, visitor: Visitor, rows: Rows, plan: Plan, progress: Progress, *, logged_in: bool
    ) -> None:
        self._visitor, self._rows, self._progress = visitor, rows, progress
        self._logged_in = logged_in
        self._arguments = Arguments(rows, plan)
        self.results: list[RouteResult] = []
        self._targets: list[Target] = []
        for rule, method in rules_of(visitor.app, plan.methods):
            route = plan.routes.get(rule.endpoint, RoutePlan())
            result = RouteResult(f"{method} {rule.rule}", rule.endpoint)
            result.skipped = skipped(visitor.app, rule, route)
            self.results.append(result)
            if not result.skipped:
                self._targets.append(Target(rule, method, result, route))
        self._done, self._total = 0, 8 * len(self._targets) or 1

    def walk(self) -> None:
        """Walk them."""
        for number, owner in enumerate(("A", "B", "A", "B"), 1):
            for target in self._targets:
                self._own(target, owner, number)  # type: ignore[arg-type]
            self._learn()
        for owner in OWNERS:
            for target in self._targets:
                self._foreign(target, owner)
        for target in self._targets:
            self._etags(target)
            self._tokens(target)
            self._step(f"{target.result.route}: links")
        for target in self._targets:
            self._step(f"{target.result.route}: session")
            if self._session(target):
                break  # one is enough: all routes behind the log-in are alike
        for target in self._targets:
            if not target.result.calls and not target.result.skipped:
                target.result.skipped = (
                    target.unknown or (target.result.remarks or ["nothing is known of it"])[0]
                )
                target.result.remarks.clear()
        self._files()

    def _step(self, what: str) -> None:
        self._done += 1
        self._progress(self._done, self._total, what)

    def _learn(self) -> None:
        """Take tokens and paths from the links that were seen."""
        adapter = self._visitor.app.url_map.bind("localhost")
        for owner in OWNERS:
            tokens: dict[str, None] = {}
            files: dict[str, None] = {}
            for link in list(self._visitor.links[owner]):
                try:
                    rule, args = adapter.match(link, return_rule=True)
                except HTTPException:
                    continue
                for value in args.values():
                    if isinstance(value, str):
                        (tokens if self._arguments.wants_token(rule) else files)[value] = None
            self._arguments.tokens[owner] = [*tokens, *self._visitor.tokens[owner]][:30]
            self._arguments.files[owner] = list(files)[:30]

    def _call(self, target: Target, owner: Owner, args: dict[str, Any], how: str, **kw: Any) -> Answer:
        return self._visitor.call(
            target.result, target.rule, target.method, owner, args, how, target.plan, **kw
        )

    def _args(self, target: Target, owner: Owner, row: int) -> dict[str, Any] | None:
        try:
            return self._arguments.of(target.rule, owner, row)
        except Unknown as error:
            target.unknown = str(error)
            return None

    # ---- one's own
    def _own(self, target: Target, owner: Owner, number: int) -> None:
        self._step(f"{target.result.route}: {owner}'s own")
        known: list[dict[str, Any]] = []
        for row in (0, 2):
            args = self._args(target, owner, row)
            if args is None or args in known:
                continue
            known.append(args)
            how = f"as {owner}, with its own rows" + (", a second time" if number > 2 else "")
            answer = self._call(target, owner, args, how)
            target.etags[owner][row] = (answer.header("etag"), sha256(answer.body).hexdigest(), repr(args))

    # ---- the other's
    def _foreign(self, target: Target, owner: Owner) -> None:
        self._step(f"{target.result.route}: {owner} with the other's")
        theirs, rule = other(owner), target.rule
        if rule.arguments - set(rule.defaults or ()):
            args = self._args(target, theirs, 2)
            mine = self._args(target, owner, 2)
            if args is None or args == mine:
                return
            answer = self._call(target, owner, args, f"as {owner}, with {theirs}'s keys")
            if any(isinstance(v, int) and v == self._rows.ids[theirs][2] for v in args.values()):
                self._existence(target, owner, args, answer)
            return
        word = next(
            (m.word for m in self._visitor.canaries.marks() if m.owner == theirs and not m.word.isdigit()), ""
        )
        query = dict.fromkeys(_ASKED, word) | dict.fromkeys(_ASKED_IDS, str(self._rows.ids[theirs][2]))
        self._call(target, owner, {}, f"as {owner}, asking for {theirs}'s name and id", query=query)

    def _existence(self, target: Target, owner: Owner, args: dict[str, Any], answer: Answer) -> None:
        """An id of the other tenant must look like one that nobody has."""
        theirs = other(owner)
        if self._visitor.has_leaked(target.result):
            return
        nobody = {
            k: self._rows.ids[theirs][0] + NOBODY if v == self._rows.ids[theirs][2] else v
            for k, v in args.items()
        }
        reference = self._call(target, owner, nobody, f"as {owner}, with an id that nobody has", quiet=True)
        if reference.status != answer.status and answer.status and reference.status and answer.status < 500:
            self._visitor.found(
                target.result,
                f"as {owner}, with {theirs}'s id: {answer.status}; with an id that nobody has: {reference.status}",
                "status",
                f"whether {theirs} has a row of this id",
                "The view knows the other tenant's ids: look for a file, a cache or a variable keyed by id only",
            )

    def _etags(self, target: Target) -> None:
        for row, (etag, body, args) in target.etags["A"].items():
            found = target.etags["B"].get(row)
            if etag and found is not None and found[0] == etag and found[2] == args and found[1] != body:
                self._visitor.found(
                    target.result,
                    f"A and B, each with its own row of the same id, get the ETag {etag} for different answers",
                    "header ETag",
                    "a validator that both tenants share",
                    "A cache would take one tenant's answer for the other's: make the ETag from the content "
                    "(response.add_etag()), or put the tenant's id into it",
                )

    # ---- what the other was given
    def _tokens(self, target: Target) -> None:
        if not self._arguments.wants_token(target.rule):
            return
        for owner in OWNERS:
            theirs = other(owner)
            for token in self._arguments.tokens[owner]:
                args = self._with_token(target, owner, token)
                if args is None or self._status(target, owner, args) != 2:
                    continue
                spoilt = self._with_token(target, owner, _spoilt(token)) or {}
                if self._status(target, owner, spoilt) == 2:
                    break  # anything goes: it is no token
                if self._status(target, theirs, args) == 2:
                    self._visitor.found(
                        target.result,
                        f"with a token that {owner} was given, on {theirs}'s host",
                        "token",
                        f"what {theirs} has under the same id: the token is good for both tenants",
                        "Put the tenant's id into what is signed (or into the salt), and compare it when it is opened",
                    )
                return

    def _with_token(self, target: Target, owner: Owner, token: str) -> dict[str, Any] | None:
        kept = self._arguments.tokens[owner]
        self._arguments.tokens[owner] = [token]
        try:
            return self._arguments.of(target.rule, owner, 0)
        except Unknown:
            return None
        finally:
            self._arguments.tokens[owner] = kept

    def _status(self, target: Target, owner: Owner, args: dict[str, Any], **kw: Any) -> int:
        return self._call(target, owner, args, "", quiet=True, **kw).status // 100

    def _session(self, target: Target) -> bool:
        """A session of one tenant must mean nothing at the other's host; returns whether it does mean something."""
        if not self._logged_in or not target.result.seen:
            return False
        for owner in OWNERS:
            theirs = other(owner)
            args = self._args(target, theirs, 0)
            cookies = "; ".join(f"{c.key}={c.value}" for c in self._visitor.cookies[owner].values())
            if args is None or not cookies:
                continue
            if self._status(target, theirs, args, anonymous=True) == 2:
                continue
            answer = self._call(
                target, theirs, args, "", headers={"Cookie": cookies}, anonymous=True, quiet=True
            )
            if answer.status // 100 == 2:
                self._visitor.found(
                    target.result,
                    f"with the session cookie of {owner}'s user, on {theirs}'s host",
                    "session",
                    f"what {theirs}'s user of the same id sees: the session is good for both tenants",
                    "Bind sessions to their tenant: this holds for every route behind the log-in",
                )
                return True
        return False

    def _files(self) -> None:
        """A file that both tenants write is one that each can have of the other."""
        watch = self._visitor.watch
        for name, writers in watch.writers.items():
            if len(writers) == 2 and name in self._visitor.marked_files:
                result = next(r for r in self.results if r.route == writers["A"])
                self._visitor.found(
                    result,
                    "A and B, each with its own rows, write the same file",
                    f"file {name}",
                    "what the other has written there",
                    "Keep each tenant's files in a folder of its own",
                )


def _spoilt(token: str) -> str:
    middle = len(token) // 2
    return token[:middle] + ("b" if token[middle] != "b" else "c") + token[middle + 1 :]
