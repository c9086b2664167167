"""Where texts go: a file, or a receiver over HTTP."""
