"""`python flite.py FOLDER VOICE < text`: a voice of flite, in a process of its own.

Writes a line of JSON (the sample rate), then the samples as 16-bit integers. Needs nothing but
Python, and the libraries in FOLDER.
"""

import ctypes
import json
import os
import sys


class Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


def main() -> None:
    folder, voice = sys.argv[1:]
    needed = ("libasound.so.2", "libflite.so.1", "libflite_usenglish.so.1", "libflite_cmulex.so.1")
    for name in needed:
        ctypes.CDLL(os.path.join(folder, name), ctypes.RTLD_GLOBAL)
    flite = ctypes.CDLL(os.path.join(folder, "libflite.so.1"))
    flite.flite_init()
    register = getattr(
        ctypes.CDLL(os.path.join(folder, f"libflite_cmu_us_{voice}.so.1")),
        f"register_cmu_us_{voice}",
    )
    register.restype = ctypes.c_void_p
    flite.flite_text_to_wave.restype = ctypes.POINTER(Wave)
    flite.flite_text_to_wave.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    wave = flite.flite_text_to_wave(sys.stdin.buffer.read(), register(None)).contents
    sys.stdout.buffer.write(json.dumps(wave.sample_rate).encode() + b"\n")
    sys.stdout.buffer.write(ctypes.string_at(wave.samples, wave.num_samples * 2))


if __name__ == "__main__":
    main()
