"""Tiny captioned tabletop videos: sampled, drawn, described, and written in three datasets' own formats."""
