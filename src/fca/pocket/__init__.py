"""The pocket base: CogVideoX's own classes at a size that a laptop trains, made from the tabletop world.

Everything here exists to make (`snakemake pocket_base`) and to find (`fca.pocket.base_dir`) the small frozen networks
shipped in `config/pocket-base`. They take the place of CogVideoX-2B, BLIP-2 and the Kinetics I3D at the pocket scale,
and of nothing else.
"""
