"""What a page plays and shows of single queries: the systems' sounds, their spectrograms, the queries' pictures."""
