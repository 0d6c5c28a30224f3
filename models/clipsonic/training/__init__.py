"""Training: one loop (:mod:`clipsonic.training.loop`), one file per thing that is trained."""
