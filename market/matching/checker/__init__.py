"""The independent checker of results: shares no code with the engine, but for the names of columns."""
