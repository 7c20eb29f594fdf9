"""A careful look at a table before anything is trained: one kind of look a file, from plain arrays to frozen records.

`trainwell.inspection.inspect` makes all of them, in the order of their worth, as far as its time goes.
"""
