"""Pages over many runs: projects, one project, a sweep, a comparison, search."""
