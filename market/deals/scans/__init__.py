"""合同扫描件: contracts signed and sealed on paper, uploaded by one side and confirmed by the other."""
