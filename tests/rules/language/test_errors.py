"""Every mistake is found at its place, with what was expected and the nearest name."""

from __future__ import annotations

import pytest

from flask_tenant.errors import ConfigurationError, RuleFileError
from flask_tenant.expressions import Kind
from flask_tenant.rules.language import Source, Vocabulary, check, read_source
from tests.rules.language.world import EXAMPLE, VOCABULARY, checked, rules


def findings(text: str, *more: str) -> tuple[str, ...]:
    """What is wrong; at least one thing has to be."""
    with pytest.raises(RuleFileError) as raised:
        checked(text, *more)
    assert raised.value.findings
    assert raised.value.findings[0] in raised.value.message
    return raised.value.findings


# What a file says, where the mistake is (line, column; each file begins with three lines), what the message says.
FILES = [
    # not YAML, or more of it than a rule file needs
    ("rules: [", 1, 9, "this is not YAML"),
    ("version: 1\nversion: 1", 2, 1, '"version" stands here twice'),
    ("a: &x 1", 1, 4, "anchors and aliases"),
    ("a: *x", 1, 4, "anchors and aliases"),
    ("a: !!python/object:os.system x", 1, 4, "tag"),
    ("a: !x", 1, 4, "put such a condition in quotes"),
    ("a: *", 1, 5, 'a star stands in quotes: "*"'),
    ("--- 1\n--- 2", 2, 1, "expected one document"),
    ("%YAML 1.1\n---\na: 1", 2, 1, "YAML 1.2"),
    ("[" * 30, 1, 10, "levels of nesting"),
    ("a: \x07", 1, 4, "U+0007"),
    ("a: 1\nb: \ufffe", 2, 4, "U+FFFE"),
    ("? [1]\n: 2", 1, 3, "expected a name, followed by a colon"),
    ("a:\n" + "- 1\n" * 1001, 1002, 3, "at most 1,000 items"),
    ("x" * 300_000, 1, 1, "at most 262,144"),
    # not of the right form
    ("", 1, 1, "expected names with values, found nothing"),
    ("[1]", 1, 1, "expected names with values, found a list of 1"),
    ("version: 1", 1, 1, "scope or rules are missing"),
    ("version: 2\nscope: all\nrules: []", 1, 1, "expected 1, found the number 2"),
    ("version: 1\nscope: al\nrules: []", 2, 8, 'expected all, {plan: NAME} or {tenant: SLUG}, found "al"'),
    ("a:\n- b: 1\nc:\n  d: 1\n e: 1", 5, 2, "stands further to the right or left"),
    ("a: 1\nb:\n\tc: 1", 3, 1, "never with tabs"),
    ("version: 1\nscope: {tenent: acme}\nrules: []", 2, 9, 'no "tenent" here; did you mean "tenant"?'),
    ("version: 1\nscope: {tenant: no way}\nrules: []", 2, 17, 'expected a name of letters, digits, _ and -, found "no way"'),
    ("version: 1\nscope: {tenant: 12}\nrules: []", 2, 17, "expected text, found the number 12: put it in quotes"),
    ("version: 1\nscope: {tenant: null}\nrules: []", 2, 17, "expected text, found nothing: put it in quotes"),
    ('version: 1\nscope: {tenant: "acme\\n"}\nrules: []', 2, 17, "expected a name of letters"),
    ("version: 1\nscope: {}\nrules: []", 2, 8, "expected tenant or plan, found {}"),
    ("version: 1\nscope: {plan: a, tenant: b}\nrules: []", 2, 8, "expected 1 only"),
    ("version: 1\nscope: all\nrule: []", 3, 1, 'no "rule" here; did you mean "rules"?'),
]  # fmt: skip

RULES = [
    # a rule's form
    ("- {for: {read: invoice}, cap: 1}", 4, 3, "id is missing"),
    ("- {id: a, for: {read: invoice}, filtr: row.paid}", 4, 33, '"filtr" here; did you mean "filter"?'),
    ("- {id: a, for: {reed: invoice}, cap: 1}", 4, 17, '"reed" here; did you mean "read"?'),
    ("- {id: a, for: them, theme: plain}", 4, 16, 'expected theme, found "them"'),
    ("- {id: a, for: {read: invoice}, cap: many}", 4, 38, 'expected a whole number, found "many"'),
    ("- {id: a, for: {read: invoice}, cap: true}", 4, 38, "expected a whole number, found true"),
    ("- {id: a, for: {read: invoice}, cap: 0}", 4, 38, "expected at least 1, found the number 0"),
    ("- {id: a, for: {read: invoice}, when: 12, cap: 1}", 4, 39, "expected text or true or false, found the number 12"),
    ("- {id: a, for: {read: invoice}, filter: null}", 4, 41, "found nothing"),
    ("- {id: a, for: {read: invoice}, hide: [note, note]}", 4, 39, "expected each item once"),
    ("- {id: a, for: {event: login.failed}, count: {at_least: 1, within: 5 min}, do: [{emit: b}]}", 4, 68,
     'expected a time such as 30s, 5m, 1h or 7d, found "5 min"'),
    ("- {id: a, for: {event: login.failed}, once: year, do: [{emit: b}]}", 4, 45,
     'expected hour or day or month, found "year"'),
    ("- {id: a, for: {event: login.failed}, do: [{hok: b}]}", 4, 45, '"hok" here; did you mean "hook"?'),
    # verbs and effects
    ("- {id: a, for: {read: invoice}}", 4, 3, 'the rule "a" does nothing: expected filter or mask'),
    ("- {id: a, for: {write: invoice}, filter: row.paid}", 4, 34, '"filter" belongs to rules for read; this one is for write'),
    ("- {id: a, for: {read: invoice}, set: {note: \"'x'\"}}", 4, 33, '"set" belongs to rules for write or insert or update'),
    ("- {id: a, for: {delete: invoice}, cap: 1}", 4, 35, '"cap" belongs to rules for read'),
    ("- {id: a, for: theme, cap: 1}", 4, 23, '"cap" belongs to rules for read'),
    ("- {id: a, for: {event: login.failed}, once: day}", 4, 3, "does nothing"),
    # names
    ("- {id: a, for: {read: invoce}, cap: 1}", 4, 23, 'there is no table "invoce"; did you mean "invoice"?'),
    ("- {id: a, for: {read: [invoice, paiment]}, cap: 1}", 4, 33, 'no table "paiment"; did you mean "payment"?'),
    ('- {id: a, for: {read: ["*", invoice]}, cap: 1}', 4, 23, "expected it alone"),
    ("- {id: a, for: {read: invoice}, hide: [nota]}", 4, 40, 'the table "invoice" has no column "nota"; did you mean "note"?'),
    ("- {id: a, for: {read: invoice}, mask: {nota: empty}}", 4, 40, 'has no column "nota"; did you mean "note"?'),
    ("- {id: a, for: {result: invoice}, redact: [iben]}", 4, 44, 'no column "iben"; did you mean "iban"?'),
    ("- {id: a, for: {write: invoice}, set: {nota: \"'x'\"}}", 4, 40, 'no column "nota"; did you mean "note"?'),
    ("- {id: a, for: {read: \"*\"}, route: replika}", 4, 36, 'there is no engine "replika"; did you mean "replica"?'),
    ("- {id: a, for: {read: invoice}, route: replica}", 4, 16, '"route" is for all reads of a tenant: expected {read: "*"}'),
    ("- {id: a, for: {write: invoice}, validate: {hook: aproval}}", 4, 51, 'no hook "aproval"; did you mean "approval"?'),
    ("- {id: a, for: {result: invoice}, transform: {hook: x}}", 4, 53, 'no hook "x"; there are approval, lock_account, shorten'),
    ("- {id: a, for: theme, theme: wintr}", 4, 30, 'no theme "wintr"; did you mean "winter"?'),
    ("- {id: a, for: {event: login.faild}, do: [{emit: b}]}", 4, 24, 'no event "login.faild"; did you mean "login.failed"?'),
    ("- {id: a, for: {event: login.failed}, do: [{webhook: opps}]}", 4, 54, 'no webhook "opps"; did you mean "ops"?'),
    ("- {id: a, for: {event: login.failed}, do: [{emit: b}, {hook: lock}]}", 4, 62, 'no hook "lock"'),
    # what operators write who know SQL, YAML or Python better
    ("- {id: a, for: {read: invoice}, filter: 'row.total > \"1.000,50\"'}", 4, 42, "without quotes, with a point: 1000.50"),
    ("- {id: a, for: {read: invoice}, filter: 'row.total > 1.000,50'}", 4, 59, "has a point: 1000.50"),
    ("- {id: a, for: {read: invoice}, filter: row.issued_on > 2026-01-31}", 4, 41, 'a date is written date("2026-01-31")'),
    ("- {id: a, for: {read: invoice}, filter: row.issued_on > today - 90}", 4, 57, "write a number of days as days(90)"),
    ("- {id: a, for: {read: invoice}, filter: row.paid == 'true'}", 4, 41, "true and false stand without quotes"),
    ("- {id: a, for: {read: invoice}, filter: not row.paid}", 4, 41, '"not" is written !'),
    ("- {id: a, for: {read: invoice}, filter: 'row.note in (\"a\", \"b\")'}", 4, 58, 'in square brackets: ["a", "b"]'),
    ("- {id: a, for: {read: invoice}, filter: row.größe == 1}", 4, 47, 'the letter "ö" has no meaning outside of a text'),
    ("- {id: a, for: {write: invoice}, set: {note: closed}}", 4, 46, """quotes, also in those of YAML: "'closed'\""""),
    ("- {id: a, for: {read: invoice}, mask: {note: 'secret'}}", 4, 47, """such as 0 or "'secret'", found secret"""),
    ("- {id: a, for: {read: invoice}, mask: {note: '***'}}", 4, 47, """such as 0 or "'secret'", found ***"""),
    # conditions: syntax
    ("- {id: a, for: {read: invoice}, filter: ''}", 4, 42, "expected a condition, found nothing"),
    ("- {id: a, for: {read: invoice}, filter: row.paid and row.total > 1}", 4, 50, '"and" is written &&'),
    ("- {id: a, for: {read: invoice}, filter: row.total = 1}", 4, 51, "a comparison is written =="),
    ("- {id: a, for: {read: invoice}, filter: row.paid & row.paid}", 4, 50, "and is written &&"),
    ("- {id: a, for: {read: invoice}, filter: row.paid ||}", 4, 52, "the condition ends too early"),
    ("- {id: a, for: {read: invoice}, filter: (row.paid}", 4, 50, "the condition ends too early"),
    ("- {id: a, for: {read: invoice}, filter: row.paid)}", 4, 49, 'expected an operator such as && or ==, found ")"'),
    ("- {id: a, for: {read: invoice}, filter: row.paid && && true}", 4, 53, 'expected a value, found "&&"'),
    ("- {id: a, for: {read: invoice}, filter: row.note == 'x}", 4, 53, "the text that begins here is not closed"),
    ("- {id: a, for: {read: invoice}, filter: row.note == b'x'}", 4, 53, "expected a plain text in quotes"),
    ("- {id: a, for: {read: invoice}, filter: row.note == '''x'''}", 4, 53, "no text has three quotes"),
    ("- {id: a, for: {read: invoice}, filter: row.note == '\\x'}", 4, 53, "there is no escape \\x"),
    ("- {id: a, for: {read: invoice}, filter: row.total > 99999999999999999999}", 4, 53, "64 bits"),
    ("- {id: a, for: {read: invoice}, filter: row.total > 0x1f}", 4, 53, "64 bits in decimal digits"),
    ("- {id: a, for: {read: invoice}, filter: row.total > 1u}", 4, 53, "of a type that conditions do not know"),
    ("- {id: a, for: {read: invoice}, filter: row.total > 1e99}", 4, 53, "at most 30 digits"),
    ("- {id: a, for: {read: invoice}, filter: '" + "!" * 40 + "row.paid'}", 4, 82, "nested deeper than 24 levels"),
    ("- {id: a, for: {read: invoice}, filter: '" + "row.paid && " * 200 + "row.paid'}", 4, 41, "expected at most 2000 characters"),
    ("- {id: a, for: {read: invoice}, filter: 'row.id in []'}", 4, 42, "a list without items holds nothing"),
    ("- {id: a, for: {read: invoice}, filter: 'row.id in [user.id]'}", 4, 53, "other things do not stand in lists"),
    ("- {id: a, for: {read: invoice}, filter: 'row.id in [1, \"a\"]'}", 4, 56, "expected items of one type"),
    ("- {id: a, for: {read: invoice}, filter: 'roles[0] == \"a\"'}", 4, 42, "a[b] is not read"),
    ("- {id: a, for: {read: invoice}, filter: '.row.paid'}", 4, 42, "expected a name, not a dot before it"),
    ("- {id: a, for: {read: invoice}, filter: '{} == {}'}", 4, 42, "maps {…} are not read"),
    ("- {id: a, for: {read: invoice}, filter: 'x{a: 1}'}", 4, 42, "objects {…} are not read"),
    ("- {id: a, for: {read: invoice}, filter: '\"a\".b'}", 4, 42, 'expected a name before ".b"'),
    # conditions: names
    ("- {id: a, for: {read: invoice}, filter: row.totl > 1}", 4, 41, 'the table "invoice" has no column "totl"; did you mean "total"?'),
    ("- {id: a, for: {read: invoice}, filter: total > 1}", 4, 41, 'no fact "total"; the column is written row.total'),
    ("- {id: a, for: {read: invoice}, filter: row.total > usr.id}", 4, 53, 'no fact "usr.id"; did you mean "user.id"?'),
    ("- {id: a, for: {read: invoice}, filter: 'row'}", 4, 42, "expected a column, such as row.name, found row"),
    ("- {id: a, for: {read: invoice}, filter: old.paid}", 4, 41, "can be named in update rules only; here it is row.paid"),
    ("- {id: a, for: {write: invoice}, when: new.paid, deny: x}", 4, 40, "can be named in update rules only"),
    ('- {id: a, for: {read: "*"}, filter: row.owner_id == 1}', 4, 37, 'the table "payment" has no column "owner_id"'),
    ("- {id: a, for: {delete: [invoice, payment]}, when: row.total > 1, deny: x}", 4, 52,
     'the column "total" is number in "invoice" and text in "payment"'),
    ("- {id: a, for: {read: customer}, filter: row.photo == null}", 4, 42, "of a type that conditions cannot compare"),
    ("- {id: a, for: {read: invoice}, filter: rows > 5}", 4, 41, "known to result rules only"),
    ("- {id: a, for: {read: invoice}, filter: today > days}", 4, 49, '"days" is a function'),
    ("- {id: a, for: theme, when: row.x == 1, theme: plain}", 4, 29, "a rule for theme is about no row, so row.x cannot be named"),
    ("- {id: a, for: {event: login.failed}, when: row.x, do: [{emit: b}]}", 4, 45, "a rule for event is about no row"),
    ("- {id: a, for: {read: invoice}, when: row.paid, cap: 5}", 4, 39, "cap is decided for a statement as a whole"),
    ("- {id: a, for: {read: invoice}, when: row.paid, deny: x}", 4, 39, "filter can tell rows apart"),
    ("- {id: a, for: {read: invoice}, when: row.paid, hide: [note]}", 4, 39, "mask can tell rows apart"),
    ("- {id: a, for: {result: invoice}, when: row.paid, emit: b}", 4, 41, "a rule for results judges a result as a whole, so row.paid cannot be named"),
    ("- {id: a, for: {result: invoice}, when: row.paid, redact: [note]}", 4, 41, "a rule for results judges"),
    ('- {id: a, for: {read: invoice}, deny: "{row.note}"}', 4, 41, "a denial of reading is about no row"),
    # conditions: functions and types
    ("- {id: a, for: {read: invoice}, filter: row.note.matches('x')}", 4, 50, "regular expressions are not read"),
    ("- {id: a, for: {read: invoice}, filter: 'roles.exists(r, r == \"x\")'}", 4, 48, "there are no macros"),
    ("- {id: a, for: {read: invoice}, filter: row.note.startWith('x')}", 4, 50, 'did you mean "startsWith"?'),
    ("- {id: a, for: {read: invoice}, filter: lowr(row.note) == 'x'}", 4, 41, 'no function "lowr"; did you mean "lower"?'),
    ("- {id: a, for: {read: invoice}, filter: row.note.lower() == 'x'}", 4, 50, "lower is written before a value"),
    ("- {id: a, for: {read: invoice}, filter: \"startsWith(row.note, 'x')\"}", 4, 42, "startsWith is written after a value"),
    ("- {id: a, for: {read: invoice}, filter: 'row.note.startsWith()'}", 4, 51, "startsWith takes 1 argument, not 0"),
    ("- {id: a, for: {read: invoice}, filter: 'row.issued_on > today - days(row.id)'}", 4, 66, "days takes one whole number"),
    ("- {id: a, for: {read: invoice}, filter: 'row.issued_on > today - days(99999)'}", 4, 66, "at most 100 years"),
    ("- {id: a, for: {read: invoice}, filter: 'row.issued_on > today - hours(1)'}", 4, 58, "a date takes whole days"),
    ("- {id: a, for: {read: invoice}, filter: 'row.issued_on > \"2026-01-31\"'}", 4, 42, 'write date("2026-01-31")'),
    ("- {id: a, for: {read: invoice}, filter: 'row.issued_on > date(\"31.1.2026\")'}", 4, 63, 'expected a date such as "2026-01-31"'),
    ("- {id: a, for: {read: invoice}, filter: 'row.created_at > timestamp(\"2026-01-31T12:00:00\")'}", 4, 69, "and its zone"),
    ("- {id: a, for: {read: invoice}, filter: row.total / 2 > 5}", 4, 41, "there is no /"),
    ("- {id: a, for: {read: invoice}, filter: row.total == row.note}", 4, 41, "== cannot compare number and text"),
    ("- {id: a, for: {read: invoice}, filter: row.note > 'a'}", 4, 41, "texts have no order that every database shares"),
    ("- {id: a, for: {read: invoice}, filter: row.total}", 4, 41, "expected a condition, something true or false"),
    ("- {id: a, for: {read: invoice}, filter: row.paid && row.total}", 4, 53, "&& takes conditions; this is a value of type number"),
    ("- {id: a, for: {read: invoice}, filter: '!row.total'}", 4, 43, "! takes conditions"),
    ("- {id: a, for: {read: invoice}, filter: -row.note == 'a'}", 4, 42, "expected a number after -"),
    ("- {id: a, for: {read: invoice}, filter: row.id in roles}", 4, 41, "in takes a text in a list of texts"),
    ("- {id: a, for: {read: invoice}, filter: null == null}", 4, 41, "expected a name beside null"),
    ("- {id: a, for: {read: invoice}, filter: row.total < null}", 4, 53, "null can be compared only"),
    ("- {id: a, for: {read: invoice}, filter: 'row.paid ? 1 : \"a\"'}", 4, 42, "? : takes a condition and two values of one type"),
    ("- {id: a, for: {read: invoice}, filter: 'roles == roles'}", 4, 42, "== cannot compare list(text) and list(text)"),
    ("- id: a\n  for: {read: invoice}\n  filter: |\n    row.paid\n    && row.totl > 1", 8, 8, 'no column "totl"'),
    ("- id: a\n  for: {read: invoice}\n  filter: >- # folded\n    row.paid &&\n\n      row.totl > 1", 9, 7, 'no column "totl"'),
    ("- id: a\n  for: {read: invoice}\n  filter: row.paid &&\n    row.totl > 1", 7, 5, 'no column "totl"'),
    ("- id: a\n  for: {read: invoice}\n  filter: 'row.note == ''x'' &&\n    row.totl > 1'", 7, 5, 'no column "totl"'),
    # masks
    ("- {id: a, for: {read: invoice}, mask: {note: emty}}", 4, 46, "expected empty, last(n), first(n) or a constant"),
    ("- {id: a, for: {read: invoice}, mask: {note: last}}", 4, 46, "expected empty, last(n), first(n) or a constant"),
    ("- {id: a, for: {read: invoice}, mask: {note: last(0)}}", 4, 46, "from 1 to 32"),
    ("- {id: a, for: {read: invoice}, mask: {total: last(4)}}", 4, 47, "last masks texts; this column is number"),
    ("- {id: a, for: {read: invoice}, mask: {total: \"'x'\"}}", 4, 48, "expected a constant of type number, as the column is, found text"),
    ("- {id: a, for: {read: invoice}, mask: {note: 5}}", 4, 46, "expected a constant of type text"),
    ("- {id: a, for: {read: invoice}, mask: {number: empty}}", 4, 40, '"number" is part of a key of "invoice": keys cannot be masked'),
    ("- {id: a, for: {read: invoice}, hide: [id]}", 4, 40, "keys cannot be hidden"),
    ("- {id: a, for: {result: invoice}, redact: [id]}", 4, 44, '"id" is part of a key of "invoice": keys cannot be redacted'),
    # messages and values
    ('- {id: a, for: {delete: invoice}, deny: "a {row.totl}"}', 4, 45, 'no column "totl"; did you mean "total"?'),
    ('- {id: a, for: {delete: invoice}, deny: "a {row.total + 1}"}', 4, 44, "expected {row.column} or {fact}"),
    ('- {id: a, for: {delete: invoice}, deny: "a } b"}', 4, 44, 'written twice: "}}"'),
    ('- {id: a, for: {delete: invoice}, deny: "a {x b"}', 4, 44, 'written twice: "{{"'),
    ("- {id: a, for: {write: order}, set: {status: pending}}", 4, 46, 'there is no fact "pending"'),
    ("- {id: a, for: {write: order}, set: {status: 5}}", 4, 46, "expected text, as the column is, found int"),
    ("- {id: a, for: {write: customer}, set: {photo: 5}}", 4, 48, "of a type that rules cannot set"),
    ("- {id: a, for: {write: invoice}, set: {issued_on: now}}", 4, 51, "a date of a timestamp is date(…)"),
    # composition
    ("- {id: a, for: {read: invoice}, cap: 1}\n- {id: a, for: {read: invoice}, cap: 2}", 5, 4, 'a rule "a" at a.yaml:4 already'),
    ("- {id: a, for: {read: invoice}, mask: {note: last(4)}}\n- {id: b, for: {read: [invoice]}, mask: {note: first(4)}}", 5, 42,
     'the rule "a" at a.yaml:4 masks "note" in another way'),
    ("- {id: a, for: {read: invoice}, mask: {note: \"'x'\"}}\n- {id: b, for: {read: invoice}, mask: {note: \"'y'\"}}", 5, 40, "neither is stricter"),
    ("- {id: a, for: {write: order}, set: {status: \"'x'\"}}\n- {id: b, for: {insert: order}, set: {status: \"'y'\"}}", 5, 39,
     'the rule "a" at a.yaml:4 sets "status" of "order" to something else'),
    ("- {id: a, for: {read: \"*\"}, route: replica}\n- {id: b, for: {read: \"*\"}, route: archive}", 5, 36,
     'the rule "a" at a.yaml:4 routes to "replica": a statement has one engine'),
    ("- {id: a, for: {read: order}, mask: {status: empty}}\n- {id: b, for: {delete: order}, deny: \"{row.status}\"}", 5, 39,
     'the rule "a" at a.yaml:4 masks or hides "status"; this message would show it'),
    ("- {id: a, for: {read: invoice}, hide: [iban]}\n- {id: b, for: {write: invoice}, set: {note: row.iban}}", 5, 40,
     "this value would store it elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "message"), FILES)
def test_a_file_that_is_none(text: str, line: int, column: int, message: str) -> None:
    found = [each for each in findings(text) if message in each]
    assert found, findings(text)
    assert found[0].startswith(f"a.yaml:{line}:{column}: "), found


@pytest.mark.parametrize(("body", "line", "column", "message"), RULES)
def test_a_rule_that_is_none(body: str, line: int, column: int, message: str) -> None:
    found = [each for each in findings(rules(body)) if message in each]
    assert found, findings(rules(body))
    assert found[0].startswith(f"a.yaml:{line}:{column}: "), found


def test_all_mistakes_are_listed_in_their_order() -> None:
    body = "- {id: a, for: {read: invoice}, filter: row.x, hide: [y]}\n- {id: b, for: {read: z}, cap: 1}"
    found = findings(rules(body))
    assert [each.split(": ")[0] for each in found] == ["a.yaml:4:41", "a.yaml:4:55", "a.yaml:5:23"]


def test_a_great_many_mistakes_are_not() -> None:
    body = "\n".join(f"- {{id: a{n}, for: {{read: nowhere}}, cap: 1}}" for n in range(80))
    found = findings(rules(body))
    assert len(found) == 51
    assert found[-1] == "… and 30 more"


def test_too_many_branches_are_an_error_that_says_so() -> None:
    mixed = " && ".join(f"(plan == '{n}' || row.id == {n})" for n in range(5))
    (found,) = findings(rules(f'- {{id: a, for: {{read: invoice}}, filter: "{mixed}"}}'))
    assert "falls into 32 branches" in found
    assert "at most 16 are taken" in found


def test_the_scope_agrees_with_the_place_of_the_file() -> None:
    with pytest.raises(RuleFileError, match=r"expected the scope \{plan: free\}.*found \{tenant: acme\}"):
        check([Source("plans/free.yaml", EXAMPLE, "plan:free")], VOCABULARY)


def test_two_tenants_are_not_checked_together() -> None:
    text = rules("- {id: a, for: {read: invoice}, cap: 1}", "{tenant: globex}")
    assert 'b.yaml:2:8: expected rules of the tenant "acme", found "globex"' in findings(EXAMPLE, text)


def test_a_file_in_another_encoding_is_refused_with_its_place(tmp_path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_bytes("version: 1\nscope: é".encode("latin-1"))
    with pytest.raises(RuleFileError, match=r"acme\.yaml:2:8: expected text in UTF-8"):
        read_source(file)


@pytest.mark.parametrize("name", ["row", "row.total", "old.x", "rows"])
def test_no_fact_is_called_like_a_part_of_the_language(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be called"):
        Vocabulary(facts={name: Kind.TEXT})
