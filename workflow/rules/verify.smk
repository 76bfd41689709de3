# Decode every clip of an index, and quarantine unusable ones before anything is computed from them.


rule verify_clips:
    input:
        LAYOUT.index_manifest("{dataset}"),
        excluded_of,
    output:
        LAYOUT.verified("{dataset}"),
    log:
        log_of("verify", "{dataset}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("verify"),
    shell:
        "fca data verify -c {params.config:q} {wildcards.dataset} --quarantine 2>&1 | tee {log:q}"
