"""Joint offers (拼货): several sellers answer one demand together."""
