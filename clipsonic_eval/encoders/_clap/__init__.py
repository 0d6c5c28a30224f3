"""CLAP: what a file holds, front end, inference."""
