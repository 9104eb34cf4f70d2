"""The day itself: the door, the board, what upsets the timetable, and the rest of the day laid anew."""
