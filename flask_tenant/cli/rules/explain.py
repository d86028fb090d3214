"""``flask tenant rules explain``: which rules hold for a statement, which do not and why, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import click

from ...errors import RuleDeniedError, RuleEngineError, TenancyError
from ...evaluation import evaluate
from ...expressions import ZONE, Expression, Fact, walk
from ...governance.rehearsal import Rehearsal, Rendered
from ...rules.cases.mutation import said
from ...rules.cases.notation import typed
from ...rules.facts import calendar
from ...rules.model import ALWAYS, Condition, Facts, Filter, Rule, RuleSet
from ..frame import ExitCode, as_json, fail, json_option, printable, say, slug_argument, table, tenant_of
from .show import counted, governance


@click.command("explain")
@slug_argument
@click.argument("sql", default="")
@click.option("--recorded", type=int, help="Explain this recorded statement, with the facts of its request.")
@click.option("--fact", "facts", multiple=True, help="A fact, as NAME=VALUE in JSON (repeatable).")
@click.option(
    "--param", "parameters", multiple=True, help="A parameter of SQL, as NAME=VALUE in JSON (repeatable)."
)
@json_option
def explain(
    slug: str, sql: str, recorded: int | None, facts: tuple[str, ...], parameters: tuple[str, ...]
) -> None:
    """Show which rules of the tenant SLUG hold for SQL, which do not and why, and the statement before and after.

    Nothing is executed. Facts that are not given are those of this command line: nobody is logged in here.
    """
    if bool(sql) == (recorded is not None):
        raise click.UsageError("Give a statement, or the number of a recorded one with --recorded")
    rehearsal = Rehearsal(governance(), tenant_of(slug))
    bound: dict[str, Any] = dict(map(_pair, parameters))
    told = rehearsal.facts()
    if recorded is not None:
        found = rehearsal.recording.find(recorded)
        if found is None:
            fail(
                f"There is no recorded statement {recorded} of {slug}",
                code="recorded-not-found",
                value=recorded,
                hint=f"'flask tenant rules dry-run {slug}' shows their numbers",
                exit_code=ExitCode.NOT_FOUND,
            )
        sql, bound, told = found.statement, found.parameters or {}, {**told, **found.facts}
    kinds = rehearsal.kinds
    for name, value in map(_pair, facts):
        if name not in kinds:
            raise click.BadParameter(f"there is no fact {name!r}; there are {', '.join(kinds)}")
        try:
            told[name] = typed(kinds[name], value)
        except (ValueError, TypeError):
            raise click.BadParameter(f"{name} is of the type {kinds[name].value}, not {value!r}") from None
    given = {name for name, _ in map(_pair, facts)}
    if given & {"now", ZONE.name} and told.get("now") is not None:  # what follows from them follows
        try:
            day = calendar(told["now"], told.get(ZONE.name) or "UTC")
        except RuleEngineError as wrong:
            raise click.BadParameter(str(wrong)) from None
        told |= {name: value for name, value in day.items() if name not in given}
    rules = rehearsal.active()
    before = rehearsal.rendered(sql, bound, None, told)
    after, error = before, None
    if rules is not None:
        try:
            after = rehearsal.rendered(sql, bound, rules, told)
        except TenancyError as caught:
            error = caught
    _tell(slug, rules, told, rehearsal.tables_in(sql), before, after, error)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value  # a text without its quotes


def explained(rule: Rule, rules: RuleSet, facts: Facts, tables: set[str]) -> dict[str, Any]:
    """Return whether a rule holds for a statement, and why or why not."""
    concerns = "*" in rule.names or bool(set(rule.names) & tables) or rule.verbs == ("theme",)
    questions, fires = _asked(rule.applies, rules, facts)
    for effect in rule.effects:
        if isinstance(effect, Filter):
            questions += _asked(effect.keep, rules, facts)[0]
    if not concerns:
        result, why = "not concerned", f"it is about {', '.join(rule.names) or rule.verbs[0]}"
    elif fires is False:
        result, why = "does not hold", ""
    else:
        result, why = ("holds", "") if fires else ("holds for some rows", "")
    reasons = [
        f"{q['question']} is {q['answer']}" + (f" ({q['facts']})" if q["facts"] else "") for q in questions
    ]
    return {
        "rule": rule.id,
        "scope": rule.scope,
        "file": rule.place.file,
        "line": rule.place.line,
        "result": result,
        "why": why or "; ".join(dict.fromkeys(reasons)) or "always",
    }


def _asked(condition: Condition, rules: RuleSet, facts: Facts) -> tuple[list[dict[str, str]], bool | None]:
    """What a condition asks, with the answers of the request; whether it holds, ``None`` for depending on the row."""
    found: list[dict[str, str]] = []
    holds: bool | None = False
    for index, residual in condition.branches:
        if index != ALWAYS:
            guard = rules.guards[index]
            answer = evaluate(guard.test, facts=facts)
            word = {True: "true", False: "false", None: "unknown"}[answer]
            if answer is None:
                word += ", which counts as true" if guard.possible else ", which counts as false"
            found.append({"question": said(guard.test), "answer": word, "facts": _named(guard.test, facts)})
            if not (answer is True or (answer is None and guard.possible)):
                continue
        if residual is None:
            holds = True
        else:
            found.append(
                {"question": said(residual, rules.slots), "answer": "asked of each row", "facts": ""}
            )
            if holds is False:
                holds = None
    return found, holds


def _named(test: Expression, facts: Facts) -> str:
    names = dict.fromkeys(part.name for part in walk(test) if isinstance(part, Fact))
    return ", ".join(f"{name} = {_shown(facts.get(name))}" for name in names)


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    return json.dumps(list(value) if isinstance(value, tuple) else value, default=str)


def _tell(
    slug: str,
    rules: RuleSet | None,
    facts: Facts,
    tables: set[str],
    before: Rendered,
    after: Rendered,
    error: TenancyError | None,
) -> None:
    each = [explained(rule, rules, facts, tables) for rule in rules.rules] if rules is not None else []
    denied = isinstance(error, RuleDeniedError)
    data = {
        "tenant": slug,
        "version": rules.version if rules is not None else 0,
        "rules": each,
        "before": {"sql": before.sql, "parameters": before.parameters},
        "after": {"sql": after.sql, "parameters": after.parameters} if error is None else None,
        "refused": {"code": error.code, "message": error.message, "rule": getattr(error, "rule", None)}
        if error is not None
        else None,
    }
    if as_json():
        say("", data)
        return
    if rules is None:
        click.echo(f"No rules hold for {slug}.")
    else:
        click.echo(f"Activation {rules.version}, {counted(len(each), 'rule')} for {slug}:")
        table(
            ("rule", "where", "result", "why"),
            [(e["rule"], f"{e['file']}:{e['line']}", e["result"], e["why"]) for e in each],
        )
    click.echo(f"Before: {printable(before.sql)}\n        {printable(before.parameters)}")
    if error is None:
        click.echo(f"After:  {printable(after.sql)}\n        {printable(after.parameters)}")
    else:
        click.echo(f"After:  {'denied' if denied else 'refused'}: {printable(error.message)}")
