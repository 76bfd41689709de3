"""The pocket base: CogVideoX's own classes at a size that a laptop trains, trained on simulated clips.

`snakemake pocket_base` trains the small frozen networks shipped in `config/pocket-base`. They replace CogVideoX-2B,
BLIP-2 and the Kinetics I3D at the pocket scale, and nowhere else.
"""
