"""Tiantou (田头): sales matching for farm produce. ARCHITECTURE.md is the way in."""

__version__ = "0.1.0"
