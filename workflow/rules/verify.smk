# Look at every clip of an index: what is broken is quarantined before anything is computed from it.


rule verify_clips:
    input:
        LAYOUT.index_manifest("{dataset}"),
        excluded_of,
    output:
        LAYOUT.verified("{dataset}"),
    log:
        log_of("verify", "{dataset}"),
    params:
        fingerprint=fingerprint_of("verify"),
    shell:
        "fca data verify -c {CONFIG_FILE:q} {wildcards.dataset} --quarantine 2>&1 | tee {log:q}"
