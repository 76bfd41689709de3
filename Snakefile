# `snakemake --cores 2 all` makes reports/index.html from nothing. The workflow itself is in workflow/.


include: "workflow/Snakefile"


rule default:
    default_target: True
    input:
        rules.all.input,
