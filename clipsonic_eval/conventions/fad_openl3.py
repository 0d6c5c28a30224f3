"""FD_openl3, as stable-audio-metrics prints it: both channels side by side, a window of 1 s every 0.5 s."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

for _suffix, _content in (("", "music"), ("-env", "env")):
    CONVENTIONS.add(
        f"fad/stable-audio{_suffix}",
        Convention(
            f"fad/stable-audio{_suffix}",
            f"peak at -1 dB, soxr to 44.1 kHz, resampy to 48 kHz, each channel by itself, weights '{_content}'",
            "fad",
            f"openl3-{_content}",
            options={"hop_s": 0.5, "channels": "both", "resampler": "resampy-0.2-kaiser-best"},
            preprocessing=AudioPreprocessing(peak_db=-1.0, rate=44100),
            source="Stability-AI/stable-audio-metrics fd55536",
            not_reproduced="without its option batching it reads the mean of stereo files and doubles that; of more "
            "than two channels it takes the first two, here their mean; it divides silence by its peak of zero",
        ),
    )
