"""SUPPLY and DEMAND files in, results out: what `market match` reads and writes."""
