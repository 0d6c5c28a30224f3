"""Material in, records out: ``sample`` writes wavs, ``evaluate`` scores wavs, ``gap`` scores embeddings."""
