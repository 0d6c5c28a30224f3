"""Listening tests: protocols, the frozen plan with every listener's list of trials, answers, their analysis.

==============  ======================================================================================================
``protocols``   what is asked, on which scale, and when the query is shown
``design``      which listener hears which clip, in which order
``plan``        ``plan.json``: everything that is settled before the first answer
``answers``     one row per answer, checked against the plan
==============  ======================================================================================================
"""
