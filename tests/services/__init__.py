"""Servers that tests need, each started and stopped by a fixture."""
