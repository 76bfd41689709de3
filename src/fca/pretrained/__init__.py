"""Networks trained elsewhere, and models exported from here: their files and how they are loaded."""
