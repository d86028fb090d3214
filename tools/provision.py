"""Sets up what the Makefile's targets need: Debian's packages, virtual environments, the wheel.

Standard library only: it runs under the system's Python, before anything else is there. Every environment
leaves a stamp, so that a second run costs nothing as long as what it was made from is unchanged.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
PINS = ROOT / "constraints.txt"
NODE = ROOT / "tests" / "services" / "node"


@dataclass(frozen=True)
class Environment:
    """A virtual environment: where it is, which Python makes it and what is installed."""

    folder: Path
    python: str = ""  # empty: the Python that runs this script
    otherwise: bool = False  # where `python` is not installed, the Python that runs this script will do
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    file: Path | None = (
        None  # requirements with every version pinned, instead of the repository's constraints
    )
    unresolved: tuple[str, ...] = ()  # installed without what they say they need
    editable: bool = False
    alone: bool = False  # what is in `file`, and nothing of ours


SA20, SA21 = "sqlalchemy>=2.0.36,<2.1", "sqlalchemy>=2.1,<2.2"
TESTED_EXTRAS = ("postgres", "redis", "token", "asgi", "rules", "theme", "login", "oidc", "ldap", "demo")
ENVIRONMENTS = {
    "demo": Environment(
        ROOT / ".venv", extras=("demo", "login", "postgres", "rules", "theme"), editable=True
    ),
    "demo-sso": Environment(
        BUILD / "demo-sso",
        extras=("demo", "ldap", "login", "oidc", "postgres", "rules", "theme"),
        requirements=("pytest>=8.4",),  # what starts the providers is the tests' own
        editable=True,
    ),
    "main": Environment(BUILD / "main", extras=TESTED_EXTRAS, groups=("dev",), requirements=(SA21,)),
    # The other end of what is supported; of the four pairs of versions, `make test` runs two, `make test-full` all.
    "other": Environment(
        BUILD / "other",
        python="python3.12",
        otherwise=True,
        extras=TESTED_EXTRAS,
        groups=("test",),
        requirements=(SA20,),
    ),
    "sa20": Environment(BUILD / "sa20", extras=TESTED_EXTRAS, groups=("test",), requirements=(SA20,)),
    "py312": Environment(
        BUILD / "py312",
        python="python3.12",
        extras=TESTED_EXTRAS,
        groups=("test",),
        requirements=(SA21,),
    ),
    "ihatemoney": Environment(
        BUILD / "ihatemoney",
        file=ROOT / "tests" / "thirdparty" / "ihatemoney" / "requirements.txt",
        unresolved=("ihatemoney==7.2.1",),
    ),
    # What `make bench` puts us beside; it never meets flask_tenant.
    "beside": Environment(BUILD / "beside", file=ROOT / "bench" / "beside" / "requirements.txt", alone=True),
}
# What stands for a Debian package being there -> the package.
DEBIAN = {
    "postgresql": "/usr/lib/postgresql/*/bin/initdb",
    "pgbouncer": "/usr/sbin/pgbouncer",
    "redis-server": "/usr/bin/redis-server",
    "chromium": "/usr/bin/chromium",
    "slapd": "/usr/sbin/slapd",
    "nodejs": "/usr/bin/node",
    "npm": "/usr/bin/npm",
}
HEADERS = {"libldap2-dev": Path("/usr/include/ldap.h"), "libsasl2-dev": Path("/usr/include/sasl/sasl.h")}
"""Debian packages that python-ldap is built with -> what stands for them."""


def say(text: str) -> None:
    """Print one line about what happens now."""
    print(f"-- {text}", flush=True)


def run(*command: str | Path, quiet: bool = False) -> None:
    """Run a command from the repository's root; end with its exit code when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout or ''}\nfailed ({done.returncode}): {' '.join(map(str, command))}")


def apt_get(packages: list[str], why: str) -> None:
    """Install Debian packages when root; else print the one command that does, and fail."""
    if os.geteuid() or not shutil.which("apt-get"):
        sudo = "sudo " if os.geteuid() else ""
        sys.exit(
            f"{why}: {', '.join(packages)} missing. Run this and try again:\n"
            f"    {sudo}apt-get install --no-install-recommends {' '.join(packages)}"
        )
    say(f"apt-get install {' '.join(packages)} ({why})")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "update", "-q", quiet=True)
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages, quiet=True)


def debian(names: list[str]) -> None:
    """Make sure that Debian's packages `names` are installed."""
    missing = [name for name in names if not list(Path("/").glob(DEBIAN[name].lstrip("/")))]
    if missing:
        apt_get(missing, "for the tests")


def works(python: str | Path) -> bool:
    """Whether a Python runs at all: pyenv's shims are on PATH for versions that are not switched on."""
    try:
        return subprocess.run([python, "-c", "import sys"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def find_python(name: str) -> Path | None:
    """The working interpreter called `name`, on PATH or behind a pyenv shim; None without one."""
    found = shutil.which(name)
    if not found:
        return None
    if works(found):
        return Path(found)
    versions = Path(found).parent.parent / "versions"
    behind_shim = sorted(versions.glob(f"{name.removeprefix('python')}.*/bin/{name}"))
    return next((python for python in reversed(behind_shim) if works(python)), None)


def digest(*parts: str | Path) -> str:
    """A short hash of texts and of files' contents."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return sha.hexdigest()[:16]


def requirements_of_group(name: str) -> list[str]:
    """The requirements of a dependency group, included groups too (Debian's pip has no --group)."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    found: list[str] = []
    for item in groups[name]:
        found += [item] if isinstance(item, str) else requirements_of_group(item["include-group"])
    return found


def create(environment: Environment, python: Path) -> None:
    """Make the virtual environment; python3-venv is asked of Debian where it is missing."""
    has_pip = subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False)
    if has_pip.returncode:
        apt_get(["python3-venv"], "for virtual environments")
    shutil.rmtree(environment.folder, ignore_errors=True)
    run(python, "-m", "venv", environment.folder)


def compiler(python: Path, extras: tuple[str, ...]) -> None:
    """Make sure that C extensions can be built for `python`: durable-rules and python-ldap come as source only."""
    headers = (
        "import pathlib, sysconfig; print(pathlib.Path(sysconfig.get_path('include'), 'Python.h').exists())"
    )
    found = subprocess.run([python, "-c", headers], capture_output=True, text=True, check=True)
    missing = [] if shutil.which("cc") else ["gcc", "libc6-dev"]
    if found.stdout.strip() != "True":
        missing.append("python3-dev")  # only Debian's own Python comes without them
    if "ldap" in extras:
        missing += [name for name, header in HEADERS.items() if not header.exists()]
    if missing:
        apt_get(missing, "to build durable-rules and python-ldap")


def install(name: str, wheel: Path | None) -> None:
    """Bring environment `name` up to date, with `wheel` (or the source tree where it is editable) in it.

    An environment whose Python is not on this machine is left out, with a line that says so.
    """
    environment = ENVIRONMENTS[name]
    python = find_python(environment.python) if environment.python else Path(sys.executable)
    if python is None and not environment.otherwise:
        say(f"{name}: {environment.python} is not installed, left out")
        return
    python = python or Path(sys.executable)
    wanted = [
        *(item for group in environment.groups for item in requirements_of_group(group)),
        *environment.requirements,
    ]
    pins: list[str | Path] = ["-r", environment.file] if environment.file else ["-c", PINS]
    made_from = digest(ROOT / "pyproject.toml", pins[1], str(python), str(environment), *wanted)
    stamp = environment.folder / ".made-from"
    inside = environment.folder / "bin" / "python"
    pip: list[str | Path] = [inside, "-m", "pip", "--disable-pip-version-check", "-q"]
    extras = f"[{','.join(environment.extras)}]" if environment.extras else ""
    if not (stamp.exists() and stamp.read_text() == made_from and works(inside)):
        say(
            f"{name}: installing into {environment.folder.relative_to(ROOT)}, once; this takes a minute or two"
        )
        create(environment, python)
        if {"rules", "ldap"} & set(environment.extras):
            compiler(python, environment.extras)
        package = ["-e", f".{extras}"] if environment.editable else [f"{wheel}{extras}"]
        if environment.alone:
            package = []
        run(*pip, "install", "--use-pep517", *pins, *package, *wanted)
        if environment.unresolved:
            run(*pip, "install", "--no-deps", *environment.unresolved)
        stamp.write_text(made_from)
    elif wheel and not environment.editable and not environment.alone:
        run(*pip, "install", "--no-deps", "--no-index", "--force-reinstall", wheel)


def build_wheel() -> Path:
    """Build the wheel from the source tree and return its path."""
    folder = BUILD / "dist"
    builder = BUILD / "builder"
    inside = builder / "bin" / "python"
    if not works(inside):
        create(Environment(builder), Path(sys.executable))
    shutil.rmtree(folder, ignore_errors=True)
    run(inside, "-m", "pip", "--disable-pip-version-check", "-q", "wheel", "--no-deps", "-w", folder, ".")
    (wheel,) = folder.glob("*.whl")
    say(f"built {wheel.name}")
    return wheel


def pin() -> None:
    """Write down what the main environment holds now: for after it was made without pins."""
    comment = "".join(line for line in PINS.open() if line.startswith("#"))
    inside = str(ENVIRONMENTS["main"].folder / "bin" / "python")
    freeze = [inside, "-m", "pip", "freeze", "--exclude", "flask-tenant"]
    held = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout.splitlines()
    pins = sorted((line for line in held if not line.lower().startswith("sqlalchemy==")), key=str.lower)
    PINS.write_text(comment + "\n".join(pins) + "\n")


def npm() -> None:
    """Install what tests need of npm into .build/node: what the lock file says, and no package's scripts run."""
    folder = BUILD / "node"
    wanted = [NODE / "package.json", NODE / "package-lock.json"]
    made_from = digest(*wanted)
    stamp = folder / ".made-from"
    if stamp.exists() and stamp.read_text() == made_from:
        return
    say("npm: installing into .build/node")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in wanted:
        shutil.copy(path, folder)
    run("npm", "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", quiet=True)
    stamp.write_text(made_from)


def copy_tests() -> None:
    """Copy the repository without flask_tenant to .build/root: tests that run there import the wheel."""
    target = BUILD / "root"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(
        ROOT,
        target,
        ignore=lambda folder, names: (
            ({".git", ".build", ".venv", "flask_tenant"} & set(names) if Path(folder) == ROOT else set())
            | {name for name in names if name.endswith(("_cache", "__pycache__", ".egg-info"))}
        ),
    )


def main() -> None:
    """Read the command line: `provision.py debian NAME…`, `… env NAME…`, `… npm` or `… pin`."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("debian", help="Debian's packages").add_argument("names", nargs="+", choices=DEBIAN)
    commands.add_parser("env", help="environments").add_argument("names", nargs="+", choices=ENVIRONMENTS)
    commands.add_parser("npm", help="what tests need of npm")
    commands.add_parser("pin", help="write constraints.txt anew")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - the Makefile's PYTHON may be anything
        sys.exit(f"Python 3.11 or 3.12 is needed, this is {sys.version.split()[0]}")
    if arguments.command == "debian":
        debian(arguments.names)
        return
    if arguments.command == "npm":
        npm()
        return
    if arguments.command == "pin":
        pin()
        return
    environments = [ENVIRONMENTS[name] for name in arguments.names]
    needs_wheel = any(not (each.editable or each.alone) for each in environments)
    wheel = build_wheel() if needs_wheel else None
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(partial(install, wheel=wheel), arguments.names))
    if needs_wheel:
        copy_tests()


if __name__ == "__main__":
    main()
