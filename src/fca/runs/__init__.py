"""Training runs as seen from outside: their folders, stop requests, status. Imports without torch."""
