# The packages of every step, for people who have Docker and no Python 3.11. The code is not in it: it is the clone's.
#   docker build -t fca . && docker run --rm -it -v "$PWD:/fca" fca snakemake --cores 2 all
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
COPY constraints.txt /opt/
RUN pip install --no-cache-dir -r /opt/constraints.txt
RUN printf '#!/bin/sh\nexec python -m fca.cli "$@"\n' > /usr/local/bin/fca && chmod +x /usr/local/bin/fca
ENV PYTHONPATH=/fca/src
WORKDIR /fca
