"""Docking meetings (农超对接会): who is invited, who meets whom, when and at which table."""
