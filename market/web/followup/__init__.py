"""What became of it all: the ledger, samples, shelves, capacity, and the worry book."""
