"""Journeys of each role in a real Chromium; run with ``--browser``."""
