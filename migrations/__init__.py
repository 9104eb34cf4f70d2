"""The chain of migrations. Piccolo imports every file here: nothing else may stand beside them."""
