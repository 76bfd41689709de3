"""VBench (Huang et al., CVPR 2024): six dimensions, measured by the official package in an environment of its own."""
