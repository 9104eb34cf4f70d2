"""The tour to the fields: proposed, planned, changed, told."""
