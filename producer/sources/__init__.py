"""Where quotes come from, a folder for each vendor."""
