"""PaSST: front end, network, published weights, inference."""
