"""What the rules say of rows that are written: put values in, ask hooks, deny."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from ...decision import Denial, Mask, Means, Overlay, Ruling, Setting, Validation, WriteRules
from ...errors import RuleDeniedError, RuleEngineError
from ...evaluation import compiled
from ...expressions import Expression, Fact, Kind, walk
from ...hooks import Hooks
from ...translations import Message
from .rows import Row, kinds_of, told, typed
from .shape import Verb

NOBODY: Row = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Image:
    """One row that a statement has written.

    :param verb: what was done to it
    :param row: as it stands afterwards; as it was, for DELETE
    :param old: as it was before UPDATE; empty when that is not known
    """

    verb: Verb
    row: Row
    old: Row = field(default_factory=dict)


def expressions_of(rules: WriteRules) -> list[Expression]:
    """Return every expression of the rules."""
    found: list[Expression] = []
    for denial in rules.denials:
        found += [part for part in denial.message if not isinstance(part, str)]
    for setting in rules.settings:
        found += [value for _, value in setting.values]
    every: tuple[Denial | Validation | Setting, ...] = (*rules.denials, *rules.validations, *rules.settings)
    found += [rule.applies for rule in every if rule.applies is not None]
    return found


class Judge:
    """Judges the rows of one statement.

    :param table: as the database calls it
    :param kinds: of columns whose values a driver gives as something else
    :param padded: columns whose values end with blanks that mean nothing
    """

    def __init__(
        self,
        table: str,
        ruling: Ruling,
        hooks: Hooks,
        overlay: Overlay | None,
        kinds: Mapping[str, Kind] = MappingProxyType({}),
        padded: frozenset[str] = frozenset(),
    ) -> None:
        self.table = table
        self.ruling, self.values = ruling, ruling.values
        self.hooks = hooks
        self.kinds, self.padded = kinds, padded
        overlay = overlay or Overlay()
        self.masks: dict[str, Mask] = {n: mask for n, mask in overlay.masks if n not in overlay.hidden}
        self.unseen = self.masks.keys() | set(overlay.hidden)

    def _work_out(self, expression: Expression, image: Image) -> Any:
        if any(isinstance(part, Fact) for part in walk(expression)):
            raise RuleEngineError(
                f"A rule for writing {self.table!r} asks for a fact that nobody has worked out",
                value=expression,
            )
        row, old = dict(image.row), dict(image.old)
        for name, kind, which in kinds_of(expression):
            side = old if which == "old" else row
            if name in side:
                side[name] = typed(side[name], kind, name)
                if name in self.padded and isinstance(side[name], str):
                    side[name] = side[name].rstrip(" ")
        return compiled(expression)(row, old, NOBODY, self.values)

    def applies(self, condition: Expression | None, image: Image) -> bool:
        """Whether a restriction holds for a row: it does in doubt."""
        return condition is None or self._work_out(condition, image) is not False

    def settings(self, settings: Sequence[Setting], image: Image) -> dict[str, tuple[Any, Expression]]:
        """Return column -> (value, expression) of what rules put into a row."""
        found: dict[str, tuple[Any, Expression]] = {}
        for setting in settings:
            if self.applies(setting.applies, image):
                for name, value in setting.values:
                    found[name] = (self._work_out(value, image), value)
        return found

    def check(self, rules: WriteRules, image: Image) -> None:
        """Ask for one row.

        :raises RuleDeniedError: when a rule forbids it, or a hook does not agree
        """
        for denial in rules.denials:
            if self.applies(denial.applies, image):
                raise self.denied(denial, image)
        for validation in rules.validations:
            if not self.applies(validation.applies, image):
                continue
            hook = self.hooks[validation.hook]
            refusal = RuleDeniedError(
                _disagrees(image.verb, validation.hook, self.table),
                rule=validation.rule,
                value=validation.hook,
            )
            try:
                agreed = hook({name: told(value, self.kinds.get(name)) for name, value in image.row.items()})
            except RuleDeniedError:
                raise
            except Exception as error:
                raise refusal from error
            if agreed is False:
                raise refusal

    def denied(self, denial: Denial, image: Image | None) -> RuleDeniedError:
        """Return the error of a denial, with its message worked out for a row. It shows visible columns only."""
        if not denial.message:
            verb = image.verb if image is not None else "insert"
            return RuleDeniedError(_forbids(verb, denial.rule, self.table), rule=denial.rule)
        shown = image or Image("insert", NOBODY)
        seen = Image(
            shown.verb,
            {k: v for k, v in shown.row.items() if k not in self.unseen},
            {k: v for k, v in shown.old.items() if k not in self.unseen},
        )
        parts = [
            part if isinstance(part, str) else text_of(self._work_out(part, seen)) for part in denial.message
        ]
        return RuleDeniedError("".join(parts), rule=denial.rule)

    # ---- masked and hidden columns
    def keeps_unseen(self, image: Image, named: Collection[str]) -> None:
        """Make sure that nobody changes what he cannot see. Asked before rules put their own values in.

        :param named: the columns to which the statement gives values; who leaves one out changes nothing
        :raises RuleDeniedError: when a masked or hidden column is another than before, or was given what its mask shows
        """
        for name in self.unseen & image.row.keys() & set(named):
            value, mask = image.row[name], self.masks.get(name)
            if image.verb == "update":
                if value == image.old.get(name):
                    continue
                if mask is None or self.applies(mask.applies, Image("update", image.old)):
                    raise self._unseen(name)
            elif value in (None, ""):
                continue  # as if it had been left out
            elif mask is None or (looks_masked(mask, value) and self.applies(mask.applies, image)):
                raise self._unseen(name)

    def _unseen(self, name: str) -> RuleDeniedError:
        mask = self.masks.get(name)
        return RuleDeniedError(
            Message(
                "The column %(column)r of %(table)r is hidden here and cannot be written",
                column=name,
                table=self.table,
            )
            if mask is None
            else Message(
                "The column %(column)r of %(table)r is masked here and cannot be written",
                column=name,
                table=self.table,
            ),
            rule=mask.rule if mask is not None else "",
            value=name,
            hint="Leave it out of the statement: a value that is not seen must not be overwritten",
        )


def looks_masked(mask: Mask, value: Any) -> bool:
    """Whether a value is one that the mask could have shown."""
    if mask.means is Means.EMPTY:
        return False  # whoever leaves a column out writes the same
    if mask.means is Means.CONSTANT:
        return bool(value == mask.value)
    text = str(value)
    left = max(len(text) - mask.count, 0)
    stars = text[:left] if mask.means is Means.LAST else text[mask.count :]
    return set(text) == {"*"} or (bool(stars) and set(stars) == {"*"})


# Whole sentences, since people read them in their own language.
def _disagrees(verb: Verb, hook: str, table: str) -> Message:
    if verb == "insert":
        return Message("%(hook)r does not agree to adding this row of %(table)r", hook=hook, table=table)
    if verb == "update":
        return Message("%(hook)r does not agree to changing this row of %(table)r", hook=hook, table=table)
    return Message("%(hook)r does not agree to deleting this row of %(table)r", hook=hook, table=table)


def _forbids(verb: Verb, rule: str, table: str) -> Message:
    if verb == "insert":
        return Message("The rule %(rule)r forbids adding rows of %(table)r", rule=rule, table=table)
    if verb == "update":
        return Message("The rule %(rule)r forbids changing rows of %(table)r", rule=rule, table=table)
    return Message("The rule %(rule)r forbids deleting rows of %(table)r", rule=rule, table=table)


def text_of(value: Any) -> str:
    """Return a value as people read it; what is not known, or not theirs to see, is a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
