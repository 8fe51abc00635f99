"""Import of the CSV files that AILoop's earlier performance tests wrote."""
