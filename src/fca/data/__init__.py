"""Clips, from the datasets' own files to shards of arrays: fetch, index, verify, resample."""
