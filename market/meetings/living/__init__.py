"""The timetable on the day: mended with the fewest changes, and single moves checked."""
