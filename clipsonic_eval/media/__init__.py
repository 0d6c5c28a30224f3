"""Sound and pictures from files, and back: decoding, resampling, frames, encoding.

``audio`` reads and resamples sound, ``video`` probes files and reads frames, ``encode`` writes small videos. Time is
in seconds from the beginning of the file; audio is float32 of shape (channels, n) and never travels without its rate.
"""
