# Pack and unpack clips of the clip library, or download, unpack and check a licensed dataset.


rule fetch:
    input:
        captions_of,
    output:
        LAYOUT.raw_manifest("{dataset}"),
    log:
        log_of("fetch", "{dataset}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("fetch"),
    shell:
        "fca fetch -c {params.config:q} {wildcards.dataset} 2>&1 | tee {log:q}"
