"""What people are told, stored in the same transaction as its cause."""
