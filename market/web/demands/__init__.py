"""What buyers look for, and what sellers offer on it, alone or together."""
