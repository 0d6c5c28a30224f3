"""Statistics on arrays: Fréchet distance, bootstrap over clips, paired tests. Nothing here knows of audio or files."""
