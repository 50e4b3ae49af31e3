"""How much is read of each kind of file in a CacheDir: more than films need, less than memory.

Whoever writes to a cache share may put anything there. A file over its limit is unusable before
any of it is read. Counted on: films of 24 hours (86,400 frames of the grid), 100,000 files and
1,000,000 faces in one folder.
"""

from __future__ import annotations

KB = 1 << 10
MB = 1 << 20

SMALL = 64 * KB  # rushes.json, name.json, a seen path (4 KB, six-fold where it is escaped)
MANIFEST = 16 * MB  # 24 h with gaps, a scene a second: 2 MB
FACTS = 4 * MB  # of a manifest that is read beside many others, for what it says of its file
CUTS = 8 * MB  # 24 h, a scene a second: 2 MB
TRANSCRIPT = 64 * MB  # 24 h of fast speech with times of words: 12 MB a stream
CAPTIONS = 16 * MB  # of all tracks; a film of two hours: 200 KB a track
SENTENCE_ROWS = 256 * MB  # 24 h of a segment every second, in four streams: 265 MB
ADDITION = 64 * MB  # members or edits; a snapshot of 1,000,000 members: 20 MB
ADDITIONS = 2 * ADDITION  # all files of one folder: two snapshots may lie there for a moment
DELETION = 256 * MB  # 1,000,000 artefacts of which one request was
CATALOGUE = 512 * MB  # one file, and all of a folder; 100,000 files with all artefacts: 100 MB
CATALOGUE_LINE = 64 * KB  # a path in it has up to 4 KB
CATALOGUE_DAMAGED_LINES = 1000  # a full disk tears one

VISUAL = 512 * MB  # 24 h of 1,152 dimensions: 200 MB
FACES = 1024 * MB  # of one MediaFile: 12 faces in every second of 24 h
CLUSTERING = 512 * MB  # 1,000,000 faces: 250 MB
VOICES = 256 * MB  # 300,000 voices of 256 numbers: 170 MB
DIMENSIONS = 8192  # models have up to 1,536
ZIP_DIRECTORY = 1 * MB  # npz files have up to 25 members

PACK_FRAMES = 1_000_000  # 24 h, or as many faces; 16 bytes each are read
JPEG = 4 * MB  # 320 pixels wide: 20 KB

MANIFESTS = 1000  # of one MediaFile: stages times models
ALL_MANIFESTS = 2 * MANIFEST  # of one MediaFile
SEEN_PATHS = 1000  # of one MediaFile
