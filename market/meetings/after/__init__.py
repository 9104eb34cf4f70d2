"""After a meeting: asking again, samples, media, and the report that counts each thing once."""
