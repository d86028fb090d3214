"""Theme files: YAML 1.2 as plain data with positions. Nothing is constructed, nothing is referred to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, RuleFileError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

LARGEST = 64 * 1024
"""Bytes that a theme file may have."""

DEEPEST = 8


def load(path: Path, source: str) -> tuple[Any, dict[str, tuple[int, int]]]:
    """Read a theme file.

    :param source: what messages call it
    :returns: what it says, and path of each name -> (line, column), from 1
    :raises RuleFileError: when it is too large, no UTF-8 or no YAML; an alias or a name that stands twice is refused
    """
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
    except ImportError as error:
        raise ConfigurationError(
            f"{source} is there, and ruamel.yaml is not", hint="pip install 'flask-tenant[theme]'"
        ) from error
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _refused(source, f"it cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST:
        raise _refused(source, f"it is larger than {LARGEST // 1024} KiB")
    try:
        text = content.decode()
        # Before anything is put together: thousands of brackets take the parser minutes.
        depth = 0
        for event in YAML(typ="safe", pure=True).parse(text):
            at = event.start_mark
            if isinstance(event, AliasEvent):
                raise _refused(source, "an alias (*) cannot stand in a theme", at.line, at.column)
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > DEEPEST:
                raise _refused(source, "it is too deeply nested", at.line, at.column)
        node = YAML(typ="safe", pure=True).compose(text)
    except UnicodeDecodeError as error:
        raise _refused(source, f"it is not UTF-8: byte {error.start}") from None
    except YAMLError as error:
        at = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise _refused(source, problem, *((at.line, at.column) if at else ())) from None
    places: dict[str, tuple[int, int]] = {}
    return (None if node is None else _plain(node, "", source, places)), places


def _plain(node: Node, path: str, source: str, places: dict[str, tuple[int, int]]) -> Any:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        return _scalar(node)
    if isinstance(node, SequenceNode):
        return [_plain(item, path, source, places) for item in node.value]
    assert isinstance(node, MappingNode)  # noqa: S101 - there are these three
    found: dict[str, Any] = {}
    for key, value in node.value:
        here = key.start_mark
        if not isinstance(key, ScalarNode):
            raise _refused(source, "a name was expected here", here.line, here.column)
        name = str(key.value)
        if name in found:
            raise _refused(source, f"{name!r} stands twice", here.line, here.column)
        inner = f"{path}.{name}" if path else name
        shown = value.start_mark if value.value else here  # nothing stands nowhere
        places[inner] = (shown.line + 1, shown.column + 1)
        found[name] = _plain(value, inner, source, places)
    return found


def _scalar(node: Any) -> Any:
    """The value of a scalar, of the few kinds that tokens have."""
    text = str(node.value)
    kind = str(node.tag).rpartition(":")[2]
    try:
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        pass
    return text


def _refused(source: str, problem: str, line: int = -1, column: int = -1) -> RuleFileError:
    where = source if line < 0 else f"{source}:{line + 1}:{column + 1}"
    finding = f"{where}: {problem}"
    return RuleFileError(finding, value=source, hint="Correct the file", findings=(finding,))
