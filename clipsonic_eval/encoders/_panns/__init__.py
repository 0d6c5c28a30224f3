"""What the PANNs encoders are made of: log-mel front end, the network Cnn14, its published weights."""
