# Decode a shard of clips to one length and size.


rule resample_clips:
    input:
        LAYOUT.index_manifest("{dataset}"),
        LAYOUT.verified("{dataset}"),
    output:
        LAYOUT.manifest(LAYOUT.clips("{dataset}", "{split}", "{shard}")),
    log:
        log_of("resample", "{dataset}", "{split}", "{shard}"),
    params:
        code=code_hash("resample"),
        settings=settings("resample"),
    shell:
        "fca resample -c {CONFIG_FILE} {wildcards.dataset} {wildcards.split} --shard {wildcards.shard}"
        " 2>&1 | tee {log}"
