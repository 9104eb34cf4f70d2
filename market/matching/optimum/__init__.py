"""The proven optimum of one product: all its pairs, searched or listed, and a network simplex over them."""
