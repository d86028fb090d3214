"""An application that is gone, and whose state something still holds, is in nobody's way."""

from __future__ import annotations

import gc
import logging
import weakref
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import Tenancy
from flask_tenant.adapters.base import current
from flask_tenant.application import Application
from flask_tenant.registry import state_of


@pytest.fixture
def gone(tmp_path: Path) -> Application:
    """The state of one."""
    app = Flask("gone")
    app.secret_key = "x"
    engine = sa.create_engine(f"sqlite:///{tmp_path}/gone.db")
    Tenancy(engines=[engine]).init_app(app)
    state = state_of(app)
    engine.dispose()
    state._app = weakref.ref(Flask("another"))  # as when it is collected, and nothing else yet
    gc.collect()
    assert not state.alive
    return state


def test_it_counts_no_more(gone: Application, caplog: pytest.LogCaptureFixture) -> None:
    assert current("logging") is None
    logging.getLogger("shop").warning("still here")
    assert caplog.messages == ["still here"]


def test_other_engines_are_nobodys_business(gone: Application) -> None:
    other = sa.create_engine("sqlite://")
    with other.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    other.dispose()
