"""The subcommands of `labscale`, a file for each noun."""
