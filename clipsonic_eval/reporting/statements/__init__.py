"""The summary in words: one file per topic, functions from :class:`Results` to sentences.

No rule looks for a wanted answer: each has a sentence for "holds", "is not shown" and "does not hold". These rules suit
any systems; rules about particular systems belong to a study, whose catalogue names them.
"""
