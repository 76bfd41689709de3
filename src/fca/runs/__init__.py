"""A training from outside: its folder, how it is stopped, how far it is. Imports without torch."""
