# Contact sheets of a dataset, to look at before training: `snakemake preview_ssv2`.


rule preview:
    input:
        LAYOUT.index_manifest("{dataset}"),
    output:
        LAYOUT.preview("{dataset}"),
    log:
        log_of("preview", "{dataset}"),
    params:
        config=config_file,
        fingerprint=fingerprint_of("preview"),
    shell:
        "fca data preview -c {params.config:q} {wildcards.dataset} 2>&1 | tee {log:q}"
