"""Saves a fifth of the time that the suite takes, alone and as second tenant: it makes an application for each test."""

import gc

gc.set_threshold(200_000, 50, 50)
