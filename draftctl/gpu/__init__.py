"""The GPU: rented when there is work, gone when there is none."""
