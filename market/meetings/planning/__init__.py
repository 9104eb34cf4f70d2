"""From the engine's matches to a timetable that is out: chosen, laid, changed by hand, published, revised."""
