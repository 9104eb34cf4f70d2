"""The engine's runs, suggestions and reasons: why this pair, why it does not sell, what would change it."""
