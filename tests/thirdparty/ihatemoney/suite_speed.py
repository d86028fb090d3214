"""The suite makes an application for each test, and Python's collector looks at all modules again and again: it need
not. Loaded by both runs, alone and as second tenant. `SUITE_EVERY=3` runs every third test."""

import gc
import os
import zlib


def pytest_collection_modifyitems(items):
    every = int(os.environ.get("SUITE_EVERY", "1"))
    items[:] = [item for item in items if zlib.crc32(item.nodeid.rpartition("/")[2].encode()) % every == 0]


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
