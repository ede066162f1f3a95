"""Published numbers against those of a run: which agree, which differ, by how much, and why.

`authors` knows the words of the authors' result files, `released` reads those files and `findings`
examines them; `reproduced` reads the tables of a run. `expectations` says what agreement there can
be, `criteria` how far apart numbers may lie, `judgement` tests for it, and `rows` brings all of it
together. `summary`, `plot` and `page` show it.
"""
