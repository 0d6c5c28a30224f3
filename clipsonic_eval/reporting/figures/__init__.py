"""One file per figure. Matplotlib is imported inside these modules only, which are themselves imported late."""
