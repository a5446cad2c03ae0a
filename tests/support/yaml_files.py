"""YAML files, read quickly: thousands of tests ask for the same few, and the parser in Python takes a second for a large table."""

from __future__ import annotations

import pickle
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

# Safe both, and one of them ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parsed(text: str | bytes) -> Any:
    """The plain data of a text."""
    return yaml.load(text, Loader=LOADER)


def load(path: Path) -> Any:
    """The data of a file, as a copy of its own for each that asks, or {} where there is none."""
    if not path.is_file():
        return {}
    status = path.stat()
    return pickle.loads(_packed(path, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=1000)
def _packed(path: Path, _changed: int, _size: int) -> bytes:
    return pickle.dumps(parsed(path.read_bytes()) or {})
