"""A market matched while it changes: each event answered at once from a warm simplex, with a bound."""
