"""The first page of each side: what waits for a seller or a buyer, a town, a county."""
