"""What every step writes: files and folders replaced atomically, shards, manifests, fingerprints."""
