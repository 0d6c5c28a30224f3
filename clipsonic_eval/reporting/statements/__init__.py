"""What the numbers say, by rules: one file per question, each a function from :class:`Results` to sentences.

A rule never looks for the answer that one would like: each has a sentence for "holds", "is not shown" and "does not
hold".
"""
