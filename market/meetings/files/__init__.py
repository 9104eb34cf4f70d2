"""A meeting as files, without a database: ``MEETING.json`` in, a timetable's three files out."""
