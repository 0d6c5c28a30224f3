"""Audio, images and video frames from files, and back: decoding, resampling, encoding.

``audio`` reads and resamples audio, ``video`` probes files and reads frames and images, ``encode`` writes small videos,
``preprocessing`` holds the steps between a file and an encoder. Times are in seconds from the beginning of the file;
audio is float32 of shape (channels, n) in [-1, 1] and always comes with its sample rate in Hz.
"""
