"""What is for sale: the hall, a lot's page, a seller's desk, stock, whole ledgers brought in."""
