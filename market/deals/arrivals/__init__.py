"""That goods have come, as their seller says it with a paper; and when the time to inspect them is over."""
