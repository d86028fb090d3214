"""What rule files become: guards about the request, residuals about the row, slots for what is bound."""

from __future__ import annotations

import datetime as dt
from itertools import product

import pytest

from flask_tenant.decision import Mask, Means
from flask_tenant.evaluation import evaluate
from flask_tenant.expressions import Column, Constant, Expression, Fact, Kind, Slot
from flask_tenant.rules import model
from flask_tenant.rules.language import conditions, dump, restore
from flask_tenant.rules.language.branches import negated
from flask_tenant.rules.language.conditions import Names
from flask_tenant.rules.model import ALWAYS, Condition, Rule, RuleSet
from tests.rules.language.world import EXAMPLE, checked, rules


def show(expression: Expression) -> str:
    """An expression as one reads it."""
    if isinstance(expression, Constant):
        return repr(expression.value)
    if isinstance(expression, Fact):
        return expression.name
    if isinstance(expression, Column):
        return f"{expression.image or 'row'}.{expression.name}"
    if isinstance(expression, Slot):
        return f"${expression.index}"
    return f"{expression.function}({', '.join(map(show, expression.arguments))})"


def branches(ruleset: RuleSet, condition: Condition) -> list[tuple[str, str]]:
    """A condition's branches as one reads them: guard (with a ? where unknown holds) and residual."""
    found = []
    for number, residual in condition.branches:
        guard = "always" if number == ALWAYS else show(ruleset.guards[number].test)
        if number != ALWAYS and ruleset.guards[number].possible:
            guard += "?"
        found.append((guard, "all" if residual is None else show(residual)))
    return found


def rule(ruleset: RuleSet, name: str) -> Rule:
    (found,) = (each for each in ruleset.rules if each.id == name)
    return found


def slot(ruleset: RuleSet, fact: str) -> Slot:
    """The slot of a fact."""
    (found,) = (n for n, each in enumerate(ruleset.slots) if isinstance(each, Fact) and each.name == fact)
    return Slot(ruleset.slots[found].kind, found)


def applies(**conditions: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The branches of a rule about invoices with these conditions, and the slots."""
    body = "\n".join(f"  {name}: >-\n    {text}" for name, text in conditions.items())
    ruleset = checked(rules(f"- id: a\n  for: {{read: invoice}}\n  mask: {{note: empty}}\n{body}")).ruleset
    return branches(ruleset, rule(ruleset, "a").applies), [show(slot) for slot in ruleset.slots]


def kept(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The branches of a filter of invoices, and the slots."""
    ruleset = checked(rules(f"- id: a\n  for: {{read: invoice}}\n  filter: >-\n    {text}")).ruleset
    (effect,) = rule(ruleset, "a").effects
    assert isinstance(effect, model.Filter)
    return branches(ruleset, effect.keep), [show(slot) for slot in ruleset.slots]


def test_the_example_of_the_documentation() -> None:
    found = checked()
    ruleset = found.ruleset
    assert ruleset.tenant == "acme"
    assert [each.id for each in ruleset.rules] == [
        "recent-invoices", "own-or-open", "tax-id", "api-limits", "reports", "books-closed", "big-orders",
        "log-exports",
        "winter", "lockout", "quota",
    ]  # fmt: skip
    assert found.notes == (
        'a.yaml:14:25: "phone" is masked in part, thus probeable: what is shown can be searched and sorted by',
    )
    recent = rule(ruleset, "recent-invoices")
    assert (recent.verbs, recent.names, recent.scope) == (("read",), ("invoice",), "tenant:acme")
    assert (recent.place.file, recent.place.line) == ("a.yaml", 4)
    assert branches(ruleset, recent.applies) == [("!(in('auditor', roles))?", "all")]
    assert rule(ruleset, "tax-id").effects == (
        model.Masks((("tax_id", Mask(Means.EMPTY)), ("phone", Mask(Means.LAST, count=4)))),
        model.Hide(("credit_note",)),
    )
    assert rule(ruleset, "api-limits").names == ("*",)
    assert rule(ruleset, "reports").effects == (model.Route("replica"),)
    closed = rule(ruleset, "books-closed")
    assert closed.names == ("invoice", "payment")
    assert closed.effects == (model.Deny(("Books for ", Column(Kind.DATE, "issued_on"), " are closed.")),)
    big = rule(ruleset, "big-orders")
    assert big.verbs == ("insert", "update")
    assert big.effects == (
        model.Validate("approval"),
        model.Set(
            (("approved_by", user := slot(ruleset, "user.id")), ("status", Constant(Kind.TEXT, "pending")))
        ),
    )
    assert user.kind is Kind.INT
    assert rule(ruleset, "log-exports").effects == (model.Redact(("iban",)), model.Emit("invoice.exported"))
    lockout = rule(ruleset, "lockout")
    assert lockout.count == model.Count(Fact(Kind.INT, "user.id"), 3, 300.0)
    assert lockout.effects == (model.CallHook("lock_account"), model.Emit("account.locked"))
    assert rule(ruleset, "quota").once == "month"
    assert rule(ruleset, "quota").effects == (model.Webhook("ops"),)
    assert set(ruleset.facts) == {
        "channel",
        "month",
        "now",
        "path",
        "roles",
        "tenant.timezone",
        "today",
        "usage.ratio",
        "user.id",
    }


@pytest.mark.parametrize(
    ("text", "found", "slots"),
    [
        # about the request alone: a guard, as a whole
        ("'auditor' in roles", [("in('auditor', roles)", "all")], []),
        ("plan == 'a' || month > 3 && user.staff", [("||(==(plan, 'a'), &&(>(month, 3), user.staff))", "all")], []),
        ("true", [("always", "all")], []),
        ("false", [], []),
        ("plan == 'a' && false", [], []),
        # about the row: what is the same for all rows is bound
        ("row.paid", [("always", "is_true(row.paid)")], []),
        ("row.total > 10", [("always", "is_true(>(row.total, $0))")], ["10"]),
        ("row.total > 10 || row.paid", [("always", "is_true(||(>(row.total, $0), row.paid))")], ["10"]),
        ("row.id in user.teams", [("always", "is_true(in(row.id, $0))")], ["user.teams"]),
        ("row.note in ['a', 'b']", [("always", "is_true(||(==(row.note, $0), ==(row.note, $1)))")], ["'a'", "'b'"]),
        ("row.note in ['a']", [("always", "is_true(==(row.note, $0))")], ["'a'"]),
        (f"row.id in {list(range(17))}", [("always", "is_true(in(row.id, $0))")], [str(tuple(range(17)))]),
        ("row.owner_id == user.id + 1", [("always", "is_true(==(row.owner_id, $0))")], ["+(user.id, 1)"]),
        ("row.note == lower(plan) + row.iban", [("always", "is_true(==(row.note, +($0, row.iban)))")], ["lower(plan)"]),
        # a timestamp's day: instants are bound, so that an index is of use
        ("row.created_at >= today", [("always", "is_true(>=(row.created_at, $0))")],
         ["day_start(today, tenant.timezone)"]),
        ("today >= row.created_at", [("always", "is_true(<(row.created_at, $0))")],
         ["day_end(today, tenant.timezone)"]),
        ("date(row.created_at) != today",
         [("always", "is_true(||(<(row.created_at, $0), >=(row.created_at, $1)))")],
         ["day_start(today, tenant.timezone)", "day_end(today, tenant.timezone)"]),
        ("row.created_at > row.issued_on", [("always", "is_true(>(date(row.created_at, $0), row.issued_on))")],
         ["tenant.timezone"]),
        ("today == date(now)", [("==(today, date(now, tenant.timezone))", "all")], []),
        # of both
        ("row.owner_id == user.id || ('a' in roles && row.paid)",
         [("always", "is_true(==(row.owner_id, $0))"), ("in('a', roles)", "is_true(row.paid)")], ["user.id"]),
        ("user.staff || row.paid", [("user.staff", "all"), ("always", "is_true(row.paid)")], []),
        ("user.staff && row.paid", [("user.staff", "is_true(row.paid)")], []),
        ("user.staff && (row.paid || month == 1)",
         [("&&(user.staff, ==(month, 1))", "all"), ("user.staff", "is_true(row.paid)")], []),
        ("(user.staff && row.paid) || (month == 1 && row.paid)",
         [("||(user.staff, ==(month, 1))", "is_true(row.paid)")], []),
        ("(user.staff && row.paid) || (user.staff && row.id == 1)",
         [("user.staff", "is_true(||(row.paid, ==(row.id, $0)))")], ["1"]),
        # negation stands at the comparisons
        ("!(user.staff && row.paid)", [("!(user.staff)", "all"), ("always", "is_true(!(row.paid))")], []),
        ("!(row.total > 10 || month == 1)", [("!=(month, 1)", "is_true(<=(row.total, $0))")], ["10"]),
        ("!!row.paid", [("always", "is_true(row.paid)")], []),
        ("!(row.note.startsWith('a'))", [("always", "is_true(!(startsWith(row.note, $0)))")], ["'a'"]),
        ("row.note == null && plan != null", [("is_known(plan)", "is_true(!(is_known(row.note)))")], []),
        ("row.total * 2 - 1 >= -3", [("always", "is_true(>=(-(*(row.total, $0), $1), $2))")], ["2", "1", "-3"]),
        ("user.staff ? row.paid : row.id == 1", [("always", "is_true(if($0, row.paid, ==(row.id, $1)))")],
         ["user.staff", "1"]),
        ("date(row.created_at) == month_start(today)",
         [("always", "is_true(&&(>=(row.created_at, $0), <(row.created_at, $1)))")],
         ["day_start(month_start(today), tenant.timezone)", "day_end(month_start(today), tenant.timezone)"]),
        ("row.created_at > timestamp('2026-01-31T13:00:00+01:00')", [("always", "is_true(>(row.created_at, $0))")],
         [repr(dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC))]),
        ("row.note.size() > size(roles) && roles.size() > 1",
         [(">(size(roles), 1)", "is_true(>(size(row.note), $0))")], ["size(roles)"]),
    ],
)  # fmt: skip
def test_a_filter_holds_where_it_is_true(text: str, found: list[tuple[str, str]], slots: list[str]) -> None:
    assert kept(text) == (found, slots)


def test_a_restriction_holds_where_it_is_true_or_unknown() -> None:
    assert applies(when="user.staff && row.paid")[0] == [("user.staff?", "not_false(row.paid)")]


def test_an_exemption_holds_where_it_is_true() -> None:
    # Not exempt, because unless is false or unknown: its opposite is true or unknown.
    assert applies(unless="user.staff && row.paid")[0] == [
        ("!(user.staff)?", "all"),
        ("always", "not_false(!(row.paid))"),
    ]


def test_when_and_unless_both_count() -> None:
    assert applies(when="month == 1", unless="user.staff")[0] == [("&&(==(month, 1), !(user.staff))?", "all")]


def test_what_is_asked_twice_is_asked_once() -> None:
    body = "\n".join(
        f"- {{id: a{n}, for: {{read: invoice}}, when: month == 1, filter: row.owner_id == user.id}}"
        for n in (1, 2)
    )
    ruleset = checked(rules(body)).ruleset
    assert (len(ruleset.guards), len(ruleset.slots)) == (1, 1)


def test_numbers_only_in_slots_make_one_shape() -> None:
    def shapes(number: int) -> Condition:
        ruleset = checked(rules(f"- {{id: a, for: {{read: invoice}}, filter: row.total > {number}}}")).ruleset
        return ruleset.rules[0].effects[0].keep  # type: ignore[union-attr]

    assert shapes(1) == shapes(2)


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "y", "2026-01-31", "1.2.3"])
def test_words_that_older_yaml_takes_for_something_else_are_text(word: str) -> None:
    body = f"- {{id: a, for: {{read: invoice}}, description: {word}, deny: {word}}}"
    assert checked(rules(body)).ruleset.rules[0].effects == (model.Deny((word,)),)


def test_old_and_new_rows_can_be_told_apart_in_rules_for_update() -> None:
    ruleset = checked(
        rules("- {id: a, for: {update: invoice}, when: old.paid && !new.paid && row.id > 0, deny: x}")
    ).ruleset
    assert branches(ruleset, ruleset.rules[0].applies) == [
        ("always", "not_false(&&(old.paid, !(new.paid), >(row.id, $0)))")
    ]


def test_rules_stand_from_the_widest_scope_to_the_narrowest() -> None:
    def one(name: str, scope: str) -> str:
        return rules(f"- {{id: {name}, for: {{read: invoice}}, cap: 1}}", scope)

    ruleset = checked(one("c", "{tenant: acme}"), one("a", "all"), one("b", "{plan: free}")).ruleset
    assert [(each.id, each.scope) for each in ruleset.rules] == [
        ("a", "all"), ("b", "plan:free"), ("c", "tenant:acme")
    ]  # fmt: skip


def test_braces_in_messages() -> None:
    ruleset = checked(rules('- {id: a, for: {delete: invoice}, deny: "{{{row.note}}} {user.id}"}')).ruleset
    assert ruleset.rules[0].effects == (
        model.Deny(("{", Column(Kind.TEXT, "note"), "} ", slot(ruleset, "user.id"))),
    )


def test_what_is_stored_is_what_was_checked() -> None:
    ruleset = checked().ruleset
    found = restore(dump(ruleset))
    assert found == ruleset
    assert found.rules[2].effects[0].masks[0][1].rule == "tax-id"  # type: ignore[union-attr]
    assert dump(found) == dump(ruleset)
    assert EXAMPLE.count("- id") + EXAMPLE.count("- {id") == len(found.rules)


@pytest.mark.parametrize("symbol", ["==", "!=", "<", "<=", ">", ">="])
def test_the_opposite_of_a_comparison_is_its_opposite_for_all_values(symbol: str) -> None:
    names = Names({"a": Kind.INT, "b": Kind.INT})
    straight = conditions.condition(f"a {symbol} b", names)
    opposite = negated(straight)
    assert opposite != straight
    for a, b in product((None, 1, 2, 3), repeat=2):
        facts = {"a": a, "b": b}
        said = evaluate(straight, facts=facts)
        assert evaluate(opposite, facts=facts) is (None if said is None else not said)


def test_numbers_beside_rows_can_be_read_off() -> None:
    """How many rows have to be seen to know depends on them."""
    ruleset = checked(
        rules("- {id: a, for: {result: invoice}, when: rows > 500 && rows * 2 < user.id, redact: [iban]}")
    ).ruleset
    assert branches(ruleset, ruleset.rules[0].applies) == [
        ("always", "not_false(&&(>(rows, 500), <(*(rows, 2), $0)))")
    ]
