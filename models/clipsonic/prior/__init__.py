"""The diffusion prior: its model, its network, and the image-caption pairs that it is trained on."""
