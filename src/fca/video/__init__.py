"""Videos in and out: decoding, timing, the temporal cast, resizing, writing."""
