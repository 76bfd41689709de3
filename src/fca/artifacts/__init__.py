"""What every step writes: files written aside, shards, their manifests, what decides their content."""
