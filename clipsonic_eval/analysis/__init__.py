"""From run folders to numbers: find the runs, pool their seeds, test the planned pairs, read the arrays beside them."""
