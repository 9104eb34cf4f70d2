"""Papers as PDF, picture and Word file: set in type, numbered, and printed anew only where they changed."""
