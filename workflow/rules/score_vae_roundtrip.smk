# The VAE reconstruction bound: score the validation clips, encoded and decoded by the VAE.


rule score_vae_roundtrip:
    input:
        clips=lambda wildcards: clips(wildcards.dataset, "validation"),
        latents=lambda wildcards: latents(wildcards.dataset, "validation"),
    output:
        LAYOUT.vae_roundtrip("{dataset}"),
    log:
        log_of("score_vae_roundtrip", "{dataset}"),
    params:
        fingerprint=fingerprint_of("score_vae_roundtrip"),
    shell:
        "fca score-vae-roundtrip -c {CONFIG_FILE:q} {wildcards.dataset} 2>&1 | tee {log:q}"
