"""Laying appointments over slots and tables: the problem, its constraints, the search, the proof."""
