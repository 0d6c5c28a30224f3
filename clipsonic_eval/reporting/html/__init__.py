"""The report as one HTML file that works from disk: sortable tables, figures, every system's sounds side by side."""
