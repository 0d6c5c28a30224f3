"""What the CLIP encoders are made of: where a model's folder lies, what is read from it, and the two towers in use."""
