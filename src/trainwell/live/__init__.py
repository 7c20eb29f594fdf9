"""The report page while the run goes on: the run folder is read as it fills, and the page follows."""
