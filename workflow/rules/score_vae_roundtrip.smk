# The VAE reconstruction bound: measure every shard of validation clips, encoded and decoded by the VAE, and score them together.


rule measure_vae_roundtrip:
    input:
        clips=LAYOUT.manifest(LAYOUT.clips("{dataset}", "validation", "{shard}")),
        latents=LAYOUT.manifest(LAYOUT.latents("{dataset}", "validation", "{shard}")),
    output:
        LAYOUT.manifest(LAYOUT.vae_roundtrip_shard("{dataset}", "{shard}")),
    log:
        log_of("measure_vae_roundtrip", "{dataset}", "{shard}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("measure_vae_roundtrip"),
    shell:
        "fca measure-vae-roundtrip -c {params.config:q} {wildcards.dataset} --shard {wildcards.shard} 2>&1 | tee {log:q}"


rule score_vae_roundtrip:
    input:
        clips=lambda wildcards: clips(wildcards.dataset, "validation"),
        latents=lambda wildcards: latents(wildcards.dataset, "validation"),
        measured=lambda wildcards: measured_round_trips(wildcards.dataset),
    output:
        score_file(LAYOUT.vae_roundtrip("{dataset}"), of="the VAE alone"),
    log:
        log_of("score_vae_roundtrip", "{dataset}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("score_vae_roundtrip"),
    shell:
        "fca score-vae-roundtrip -c {params.config:q} {wildcards.dataset} 2>&1 | tee {log:q}"
