"""The clip library: simulated clips with all that is known of them, packed as the three datasets are published."""
