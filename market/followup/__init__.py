"""What became of it: intents, contracts, goods and money counted once each; shelves, capacity, quotes."""
