"""How the toy encoders were trained and calibrated."""
