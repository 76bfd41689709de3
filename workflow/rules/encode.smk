# Run the frozen networks once over a shard of clips. Training clips are decoded on the fly and never stored.


rule encode_latents:
    input:
        clips_to_encode,
    output:
        LAYOUT.manifest(LAYOUT.latents("{dataset}", "{split}", "{shard}", "{base}")),
    log:
        log_of("encode", "{base}", "{dataset}", "{split}", "{shard}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("encode"),
    shell:
        "fca encode -c {params.config:q} {wildcards.dataset} {wildcards.split} --shard {wildcards.shard}"
        " --base {wildcards.base}"
        " 2>&1 | tee {log:q}"
