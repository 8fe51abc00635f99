"""`make mutants`: small faults are put into the code, one at a time, to see which ones no test notices."""
