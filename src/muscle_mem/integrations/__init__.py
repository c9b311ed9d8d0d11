"""Other people's frameworks: one file each, imported by users and by nothing in here."""
