"""Reference data: produce, divisions, credentials, shelf rules, coded reasons."""
