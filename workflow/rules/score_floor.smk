# Score what the VAE alone makes of the validation clips: no prediction can be better.


rule score_vae_floor:
    input:
        clips=lambda wildcards: clips(wildcards.dataset, "validation"),
        latents=lambda wildcards: latents(wildcards.dataset, "validation"),
    output:
        LAYOUT.vae_roundtrip("{dataset}"),
    log:
        log_of("score_floor", "{dataset}"),
    params:
        code=code_hash("score_floor"),
        settings=settings("score_floor"),
        weights=weights_hash(CONFIG, "score_floor"),
    shell:
        "fca score-floor -c {CONFIG_FILE:q} {wildcards.dataset} 2>&1 | tee {log:q}"
