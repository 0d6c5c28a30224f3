"""What the numbers say, by rules: one file per topic, functions from :class:`Results` to sentences.

No rule looks for a wanted answer: each has a sentence for "holds", "is not shown" and "does not hold". Rules here suit
any systems; those about particular ones belong to a study and reach the page through its catalogue.
"""
