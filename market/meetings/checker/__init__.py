"""`market verify-timetable`: shares nothing with the scheduler but the format."""
