"""The diffusion prior: image embeddings generated from text embeddings.

``model`` holds the trained prior and its sampling, ``network`` the transformer and its noise schedule, ``data`` the
image-caption pairs that it is trained on.
"""
