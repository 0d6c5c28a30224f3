"""AudioSet, which PANNs and PaSST were trained on.

``audioset_labels.csv`` is ``class_labels_indices.csv`` of AudioSet (Google; J. Gemmeke et al., ICASSP 2017; CC BY 4.0):
the 527 classes in the order of the networks' outputs.
"""
