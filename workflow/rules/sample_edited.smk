# Predict validation clips from the dataset's edited captions (Figure 11), with the initial frames and noise of the clip.


rule sample_edited:
    input:
        latents=all_validation_latents,
        model=model_of,
    output:
        LAYOUT.manifest(LAYOUT.samples("{dataset}", "{variant}", "edited", 0)),
    log:
        log_of("sample", "{dataset}", "{variant}", "edited"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("sample_edited"),
    shell:
        "fca sample -c {params.config:q} {wildcards.dataset} {wildcards.variant} --kind edited --shard 0000"
        " 2>&1 | tee {log:q}"
