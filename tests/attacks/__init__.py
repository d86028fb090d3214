"""Attacks: one file for each class of what isolation has to survive."""
