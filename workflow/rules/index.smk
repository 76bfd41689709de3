# One line for each clip: split, caption, files.


rule index_clips:
    input:
        LAYOUT.raw_manifest("{dataset}"),
        captions_of,
    output:
        LAYOUT.index_manifest("{dataset}"),
    log:
        log_of("index", "{dataset}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("index"),
    shell:
        "fca index -c {params.config:q} {wildcards.dataset} 2>&1 | tee {log:q}"
