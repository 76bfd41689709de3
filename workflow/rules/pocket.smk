# Rebuild the pocket scale's networks in config/pocket-base (hours). They are shipped, so nothing depends on this.


rule pocket_base:
    output:
        touch(LAYOUT.runs.parent / "pocket-base" / "made"),
    log:
        LAYOUT.runs.parent / "pocket-base" / "log.txt",
    threads: 2
    params:
        code=code_hash("pocket_base"),
    shell:
        "fca pocket --threads {threads} 2>&1 | tee -a {log:q}"
