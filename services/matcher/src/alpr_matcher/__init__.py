"""Hot lists, and the join of reads with them into hits."""
