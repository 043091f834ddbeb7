"""From kernel definitions to programs: expressions, and the renderers that turn them into code."""
