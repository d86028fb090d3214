"""``flask tenant rules test``: the cases beside the rule files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...errors import RuleFileError
from ...expressions import ZONE
from ...rules.cases import Case, Mutant, Verdict, judge, mutants, read_cases, survivors
from ...rules.folder import Folder
from ...rules.language import Vocabulary
from ...rules.model import Rule
from ..frame import ExitCode, as_json, json_option, printable, progress, say, state, table
from .check import checked
from .show import findings_of, folder_option, governance, opened, refuse


@click.command("test")
@click.argument("names", nargs=-1)
@folder_option
@click.option("--mutate", is_flag=True, help="Break each rule in turn, and fail if no case notices.")
@json_option
def test(names: tuple[str, ...], folder: Path, mutate: bool) -> None:
    """Try the cases that lie beside the rule files: of the whole folder, or of the files NAMES. No data is read.

    Exits with 1 when a case fails, and with --mutate when a rule can be removed, or one of its comparisons turned
    round, without any case noticing.
    """
    files = opened(folder)
    vocabulary = governance().vocabulary()
    texts = {file.name: file.text for file in files.files} | dict(files.cases.values())
    found = checked(files, vocabulary)
    refuse(found.errors, texts, "Nothing was tried")
    wanted = [file for file in files.files if not names or file.name in names]
    cases = _cases(files, vocabulary)
    decide = governance().decide
    verdicts: list[tuple[str, Verdict]] = []
    left: list[Mutant] = []
    broken = 0
    with progress(sum(len(cases[file.name]) for file in wanted), "trying") as step:
        for file in wanted:
            for case in cases[file.name]:
                verdicts.append((file.name, judge(case, found.sets[file.scope], decide)))
                step(file.name)
    if mutate and all(verdict.good for _, verdict in verdicts):
        tries = []
        for file in wanted:

            def mine(rule: Rule, name: str = file.name) -> bool:
                return rule.place.file == name

            tries.append((file.name, list(mutants(found.sets[file.scope], mine))))
        broken = sum(len(each) for _, each in tries)
        with progress(broken, "breaking") as step:
            for name, candidates in tries:
                left += survivors(cases[name], candidates, decide, step)
    _tell(verdicts, left, broken, [file.name for file in wanted if not cases[file.name]], mutate)


def _cases(files: Folder, vocabulary: Vocabulary) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    errors: list[str] = []
    texts = dict(files.cases.values())
    for file in files.files:
        name, text = files.cases.get(file.name, ("", ""))
        found[file.name] = []
        if not name:
            continue
        try:
            found[file.name] = read_cases(name, text, vocabulary, _about(file.scope, vocabulary))
        except RuleFileError as error:
            errors += findings_of(error)
    missing = set(files.cases) - {file.name for file in files.files}
    errors += [f"{files.cases[name][0]}:1:1: there is no rule file {name}" for name in sorted(missing)]
    refuse(errors, texts, "Nothing was tried")
    return found


def _about(scope: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """What follows from whom a file is for."""
    kind, _, who = scope.partition(":")
    facts: dict[str, Any] = {}
    if kind == "tenant":
        facts["tenant.slug"] = who
        tenant = state().directory.find(who)
        plan = tenant.config.get("plan") if tenant is not None else None
        if plan is not None:
            facts["plan"] = plan
        if tenant is not None:
            facts[ZONE.name] = state().zone_of(tenant) or "UTC"
    if kind == "plan":
        facts["plan"] = who
    return {name: value for name, value in facts.items() if name in vocabulary.facts}


def _tell(
    verdicts: list[tuple[str, Verdict]], left: list[Mutant], broken: int, without: list[str], mutate: bool
) -> None:
    failed = [v for _, v in verdicts if not v.good]
    data = {
        "cases": [
            {
                "file": v.case.place.file,
                "line": v.case.place.line,
                "name": v.case.name,
                "good": v.good,
                "wrong": list(v.wrong),
            }
            for _, v in verdicts
        ],
        "without_cases": without,
        "mutations": broken,
        "unnoticed": [
            {"rule": m.rule.id, "file": m.rule.place.file, "line": m.rule.place.line, "mistake": m.mistake}
            for m in left
        ],
    }
    if as_json():
        say("", data)
    else:
        if verdicts:
            table(
                ("case", "for", "result"),
                (
                    (v.case.name, f"{v.case.verb} {v.case.target}".strip(), "holds" if v.good else "FAILS")
                    for _, v in verdicts
                ),
            )
        for v in failed:
            for wrong in v.wrong:
                click.echo(
                    f"{v.case.place.file}:{v.case.place.line}: {printable(v.case.name)}: {printable(wrong)}"
                )
        for m in left:
            click.echo(
                f"{m.rule.place.file}:{m.rule.place.line}: rule {m.rule.id}: {printable(m.mistake)}, "
                "and no case notices"
            )
        for name in without:
            click.echo(f"{name} has no cases: write {name.removesuffix('.yaml')}.cases.yaml", err=True)
        text = f"{len(verdicts)} cases, {len(failed)} failed"
        if mutate:
            text += (
                f"; {broken} mutations, {len(left)} unnoticed" if not failed else "; mutations were not tried"
            )
        click.echo(f"{text}.")
    if failed or left:
        raise click.exceptions.Exit(ExitCode.FAILURE)
