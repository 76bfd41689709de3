# All steps at their real size on a few clips: `snakemake rehearse --configfile FILE`, through any profile.


rule rehearse:
    log:
        log_of("rehearse", CONFIG.scale),
    localrule: True
    params:
        cores=f"--cores {workflow.cores}" if workflow.cores else "",
        profiles=profile_options(),
    shell:
        "fca rehearse -c {CONFIG_FILE:q} {params.cores} {params.profiles} 2>&1 | tee {log:q}"
