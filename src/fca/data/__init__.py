"""What a clip is, from the datasets' own files to shards of arrays: fetch, index, resample, and the files
between.
"""
