"""Personal data: consent, one's own data, what is kept how long."""
