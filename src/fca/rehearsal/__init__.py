"""A dress rehearsal: every step of a configuration at its real size, on few clips, before data and weights are here."""
