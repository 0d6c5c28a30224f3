"""VGGish (S. Hershey et al., CNN architectures for large-scale audio classification, ICASSP 2017)."""
