"""Takes YAML apart into events: by libyaml where it is there and reads as YAML 1.2 does, else by ruamel.yaml.

libyaml is ten times as fast, and a parser of YAML 1.1. In what rule files are made of, the two differ in few
characters; a text that has one of these, or that libyaml cannot read, is ruamel's. So are all mistakes: their words and
places are the same wherever libyaml is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ruamel.yaml import YAML

try:
    import yaml
    from yaml import CSafeLoader
except ImportError:  # PyYAML is not there, or was built without libyaml
    yaml = CSafeLoader = None

Parser = Callable[[str], Iterable[Any]]

_UNLIKE = re.compile(r"[\t\x85\u2028\u2029]|^(?:%|\.\.\.)", re.MULTILINE)
"""Blanks and line breaks on which the versions of YAML differ, and what stands around documents."""


class UncertainError(Exception):
    """libyaml may have read something else than YAML 1.2 says."""


def parsers(text: str) -> Iterator[tuple[Parser, bool]]:
    """Return what reads a text, the fastest first; whether its verdict stands also where it finds a mistake."""
    if CSafeLoader is not None and not _UNLIKE.search(text):
        yield _quickly, False
    yield _carefully, True


def _carefully(text: str) -> Iterable[Any]:
    found: Iterable[Any] = YAML(typ="safe", pure=True).parse(text)
    return found


def _quickly(text: str) -> Iterator[Any]:
    try:
        for event in yaml.parse(text, Loader=CSafeLoader):
            # The two do not agree where a value stands that is not there.
            if type(event).__name__ == "ScalarEvent" and not event.value and not event.style:
                raise UncertainError
            yield event
    except yaml.YAMLError as error:
        raise UncertainError from error
