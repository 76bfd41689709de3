"""The sections of the pages: each module gathers what the template of the same name shows."""
