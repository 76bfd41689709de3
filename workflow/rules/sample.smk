# Predict a shard of validation clips, from their own captions or from opposite ones.


rule sample_clips:
    input:
        latents=latents_to_sample,
        model=model_of,
    output:
        LAYOUT.manifest(LAYOUT.samples("{dataset}", "{variant}", "{kind}", "{shard}")),
    log:
        log_of("sample", "{dataset}", "{variant}", "{kind}", "{shard}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("sample"),
    shell:
        "fca sample -c {params.config:q} {wildcards.dataset} {wildcards.variant} --kind {wildcards.kind}"
        " --shard {wildcards.shard} 2>&1 | tee {log:q}"
