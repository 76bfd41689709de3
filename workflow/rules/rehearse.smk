# All steps at their real size on a few clips: `snakemake rehearse --configfile FILE`, through any profile.


rule rehearse:
    log:
        log_of("rehearse", CONFIG.scale),
    localrule: True
    params:
        config=config_file,
        cores=lambda wildcards: f"--cores {workflow.cores}" if workflow.cores else "",
        profiles=profile_options(),
    shell:
        "fca rehearse -c {params.config:q} {params.cores} {params.profiles} 2>&1 | tee {log:q}"
