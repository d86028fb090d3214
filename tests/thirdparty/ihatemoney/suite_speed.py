"""The suite makes an application for each test, and Python's collector looks at all modules again and again: it need
not. Loaded by both runs, alone and as second tenant."""

import gc


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
