"""A folder of rule files, as operators keep it: whom a file is for follows from where it lies.

    _all.yaml           or  _all/ANY.yaml           for all tenants
    plans/PLAN.yaml     or  plans/PLAN/ANY.yaml     for the tenants of a plan
    SLUG.yaml           or  SLUG/ANY.yaml           for one tenant

``NAME.cases.yaml`` beside ``NAME.yaml`` holds its cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import RuleFileError
from .language import read_source
from .store import RuleFile

CASES = ".cases.yaml"


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds.

    :param cases: name of a rule file -> name and text of its cases
    """

    root: Path
    files: tuple[RuleFile, ...]
    cases: dict[str, tuple[str, str]]

    def chain(self, scope: str, plan: str = "") -> list[RuleFile]:
        """Return the files that hold together for a scope.

        :param plan: of the tenant, when the scope is one
        """
        scopes = {"all", scope} | ({f"plan:{plan}"} if plan else set())
        return [file for file in self.files if file.scope in scopes]


def read_folder(root: Path) -> Folder:
    """Read all rule files of a folder, and their cases.

    :raises RuleFileError: when there is no such folder, or a file lies where none is expected
    """
    if not root.is_dir():
        raise RuleFileError(
            f"There is no folder {str(root)!r}",
            value=str(root),
            hint="Make it, or name another with --folder",
        )
    files, cases = [], {}
    for path in sorted(root.rglob("*.yaml")):
        name = path.relative_to(root).as_posix()
        text = read_source(path, root).text
        if name.endswith(CASES):
            cases[name.removesuffix(CASES) + ".yaml"] = name, text
        else:
            files.append(RuleFile(name, scope_of(name), text))
    return Folder(root, tuple(files), cases)


def scope_of(name: str) -> str:
    """Return whom a file is for by its place.

    :param name: its path below the folder
    :raises RuleFileError: when it lies where no rule file does
    """
    *folders, last = name.removesuffix(".yaml").split("/")
    if folders[:1] == ["plans"] and len(folders) <= 2:
        return f"plan:{folders[1] if len(folders) == 2 else last}"
    if len(folders) <= 1:
        who = folders[0] if folders else last
        return "all" if who == "_all" else f"tenant:{who}"
    raise RuleFileError(
        f"{name} lies too deep: nobody can tell whom it is for",
        value=name,
        hint="Put it into the folder, into _all/, plans/PLAN/ or into the tenant's own folder there",
    )
