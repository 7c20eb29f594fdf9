"""The page that explains a run: evidence and events in, one self-contained HTML file out."""
