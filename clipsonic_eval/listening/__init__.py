"""Listening tests, from the plan over the page and its server to an ordinary run.

======================================  ==============================================================================
``protocols``                           what is asked, on which scale, and when the query is shown
``design``, ``trials``                  which listener hears which clip, in which order; checks between the trials
``plan``, ``make``                      ``plan.json``: everything that is settled before the first answer
``rehearsal``                           answers of made-up listeners, before there are others
``build``                               the folder of a test: sounds (``stimuli``), the table of whose they are, texts
``page``, ``web/``                      what a listener sees
``sessions``, ``server``, ``database``  lists to browsers, answers from them; each is on the disk before it counts
``answers``, ``collect``                one row per answer, checked against the plan
``analysis``                            mean opinions and preferences with intervals, with and without exclusions
======================================  ==============================================================================
"""
