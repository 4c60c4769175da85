"""Pictures of plans and runs: in the terminal with the standard library alone, in files with matplotlib."""
