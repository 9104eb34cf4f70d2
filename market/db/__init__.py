"""The database: which server, its pool and transactions, migrations, and work that can wait."""
