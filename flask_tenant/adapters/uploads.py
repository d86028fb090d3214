"""Upload folders: each tenant has a part of its own, and reaches no other.

``TENANT_UPLOAD_FOLDERS`` names configuration keys, such as ``UPLOAD_FOLDER``. Read inside a tenant, such a key gives
the tenant's own folder within the one that is configured. That is a convenience; the wall is an audit hook, which the
interpreter calls before a file is opened, listed, renamed or removed, whoever does it: ``send_file``,
``FileStorage.save``, ``open``. A path in an upload folder but outside the tenant's own part is refused.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from typing import Any

from flask import Config

from ..context import Scope
from ..errors import ConfigurationError, FileRefusedError
from ..model import TEMPLATE_ID
from .base import Around, Part, registered

NAME = "uploads"
_OWN = re.compile(r"tenant-(\d+)\Z")

_ONE = frozenset(
    {
        "open",
        "os.chdir",
        "os.chmod",
        "os.chown",
        "os.getxattr",
        "os.listdir",
        "os.listxattr",
        "os.mkdir",
        "os.remove",
        "os.removexattr",
        "os.rmdir",
        "os.scandir",
        "os.setxattr",
        "os.truncate",
        "os.utime",
        "shutil.rmtree",
        "sqlite3.connect",
    }
)
_TWO = frozenset({"os.link", "os.rename", "os.symlink", "shutil.copyfile", "shutil.copytree", "shutil.move"})
_MAKES = frozenset({"os.mkdir", "os.listdir", "os.scandir"})


class Uploads(Part):
    """Gives each tenant its folders."""

    name = NAME

    def look(self, around: Around) -> bool:
        """Let the configuration answer for the tenant, and watch files."""
        if not around.settings.upload_folders:
            return False
        config = around.app().config
        if not isinstance(config, _TenantConfig):
            config.__class__ = _answering(type(config))
            config.ft_around = around  # type: ignore[attr-defined]
            _watch()
        return True


@cache
def _answering(base: type[Config]) -> type[Config]:
    return type(f"Tenant{base.__name__}", (_TenantConfig, base), {"__module__": __name__})


class _TenantConfig(Config):
    """Goes in front of a configuration's class."""

    ft_around: Around

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        return _own(self.ft_around, key, value) if key in self.ft_around.settings.upload_folders else value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or ``default``."""
        return self[key] if key in self else default  # noqa: SIM401 - it is what that calls


def _own(around: Around, key: str, value: Any) -> Any:
    """The tenant's part of a configured folder, which is made when it is first asked for."""
    if value is None:
        return None
    scope = around.here()
    if scope is None or scope.tenant_id in (None, TEMPLATE_ID):
        return value
    if not isinstance(value, str | os.PathLike):
        raise ConfigurationError(f"{key} is {value!r}", value=value, hint="Use the path of a folder")
    path = os.path.join(os.fspath(value), f"tenant-{scope.tenant_id}")
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path if isinstance(value, str) else type(value)(path)  # type: ignore[call-arg]


# ---- the wall
_watching: list[bool] = []


def _watch() -> None:
    if not _watching:
        _watching.append(True)
        sys.addaudithook(_audit)  # for good: an audit hook cannot be taken away


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _ONE:
        _check(event, args[0])
    elif event in _TWO:
        _check(event, args[0])
        _check(event, args[1])


def _check(event: str, path: Any) -> None:
    if path is None or isinstance(path, int) or not registered():
        return
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    elif not isinstance(path, str):
        try:
            path = os.fspath(path)
        except TypeError:
            return
    for around in registered():
        for base in _bases(around):
            _refuse(event, path, base, around)


def _bases(around: Around) -> list[str]:
    """The configured folders, as they are."""
    config = around.app().config
    found = [dict.get(config, key) for key in around.settings.upload_folders]
    return [os.path.realpath(os.fspath(base)) for base in found if base]


def _refuse(event: str, path: str, base: str, around: Around) -> None:
    real = os.path.realpath(path)  # what `..` and links lead to
    if real != base and not real.startswith(base + os.sep):
        return
    scope = around.here()
    if scope is not None and scope.central:
        return
    rest = real[len(base) + 1 :].split(os.sep)
    tenant = _OWN.match(rest[0])
    if _may(event, scope, rest[0], int(tenant.group(1)) if tenant else None):
        return
    raise FileRefusedError(
        f"{scope or 'Code outside any tenant'} was about to reach {path!r} ({event})",
        value=path,
        hint="Inside a tenant, read the folder from app.config each time: it is the tenant's own part. "
        "In central work every part can be reached",
    )


def _may(event: str, scope: Scope | None, first: str, owner: int | None) -> bool:
    """Whether a scope may reach something.

    :param first: the first part of the path below the upload folder, empty for the folder itself
    :param owner: whose part it lies in
    """
    if not first:
        return event in _MAKES and (scope is None or event == "os.mkdir" or not scope.tenant_id)
    if scope is None:
        return False
    if scope.tenant_id == TEMPLATE_ID:
        return owner is None  # start-up code and migrations have no tenant's files
    return owner == scope.tenant_id
