"""Why a lot is left over or a demand not served, and the smallest changes that open a way."""
