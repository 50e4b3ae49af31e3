"""`python espeak.py FOLDER VOICE WORDS_PER_MINUTE < text`: espeak-ng in a process of its own.

Its state goes on from text to text; a new process says the same text in the same way. Writes a
line of JSON (sample rate, words as [sample, text]), then the samples as 16-bit integers. Needs
nothing but Python, and starts at once.
"""

import ctypes
import json
import os
import sys

RETRIEVAL, UTF8, SPEED, BY_CHARACTER = 2, 1, 1, 1  # of espeak-ng's speak_lib.h
LAST, WORD = 0, 1


class Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


def main() -> None:
    folder, voice, words_per_minute = sys.argv[1:]
    text = sys.stdin.buffer.read()
    library = ctypes.CDLL(os.path.join(folder, "libespeak-ng.so"))
    library.espeak_Synth.argtypes = (
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint),
        *(ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    )
    rate = library.espeak_Initialize(RETRIEVAL, 0, folder.encode(), 0)
    if rate <= 0 or library.espeak_SetVoiceByName(voice.encode()) != 0:
        sys.exit(f"espeak-ng has no voice {voice} in {folder}")
    ctypes.CDLL(None).srand(1)  # breath is noise, which was seeded by the clock
    library.espeak_SetParameter(SPEED, int(words_per_minute), 0)
    sound: list[bytes] = []
    words: list[tuple[int, str]] = []

    def take(samples, count, events):  # type: ignore[no-untyped-def]
        if count > 0:
            sound.append(ctypes.string_at(samples, count * 2))
        number = 0
        while events[number].type != LAST:
            event = events[number]
            if event.type == WORD:
                at = event.text_position - 1
                words.append((event.sample, text.decode()[at : at + event.length]))
            number += 1
        return 0

    callback = Callback(take)
    library.espeak_SetSynthCallback(callback)
    library.espeak_Synth(text + b"\0", len(text) + 1, 0, BY_CHARACTER, 0, UTF8, None, None)
    sys.stdout.buffer.write(json.dumps([rate, words]).encode() + b"\n" + b"".join(sound))


if __name__ == "__main__":
    main()
