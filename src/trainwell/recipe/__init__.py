"""The six stages in their order, what each leaves behind, and the run that takes them one after another."""
