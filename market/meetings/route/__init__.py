"""The tour to the fields: which villages the buses call at, in which order and when."""
