"""The worry book (心病台账): every lot that does not move has a case, an owner, a level and a deadline."""
