# Decode a shard of validation clips to one length and size. Training clips go directly into encode_latents.


rule resample_clips:
    input:
        LAYOUT.index_manifest("{dataset}"),
        LAYOUT.verified("{dataset}"),
    output:
        LAYOUT.manifest(LAYOUT.clips("{dataset}", "validation", "{shard}")),
    log:
        log_of("resample", "{dataset}", "validation", "{shard}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("resample"),
    shell:
        "fca resample -c {params.config:q} {wildcards.dataset} validation --shard {wildcards.shard}"
        " 2>&1 | tee {log:q}"
