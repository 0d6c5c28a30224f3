"""The gate's result as text, Markdown, annotations of a CI run, and JUnit XML."""
