"""From a table to arrays: read, understand, split, encode. Whatever is fitted is fitted on training rows only.

source -> read_table -> Table -> infer_schema -> Schema -> split_table -> Split -> fit_encoder -> Encoder -> Arrays
"""
