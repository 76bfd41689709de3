"""Steps as seen from outside: a training run's folder, stop requests, status; who watches a step. Without torch."""
