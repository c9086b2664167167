"""The engines: `template`, and what stands in for a build that nothing serves."""
