"""What a finished model does, measured from its predictions: which features it reads, where it errs, what its order is worth.

Pure functions of arrays: they know neither the run nor its clock, and choose nothing.
"""
