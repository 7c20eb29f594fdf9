"""Stage 4, regularize: give up some training score to gain validation score."""
