"""What the toy world's encoders are made of: networks, words, front ends, and the loading of their weights."""
